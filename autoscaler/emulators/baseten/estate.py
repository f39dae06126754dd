"""Everything that one Baseten organisation has: models with deployments, chains with chainlets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from autoscaler.emulators.baseten.autoscaling import Autoscaling
from autoscaler.emulators.baseten.catalogue import Catalogue
from autoscaler.emulators.baseten.environments import Environment
from autoscaler.emulators.baseten.exhibits import Exhibit, Face, Stage
from autoscaler.emulators.baseten.managed import Managed
from autoscaler.emulators.baseten.options import Options, options_of, settings_of
from autoscaler.emulators.baseten.settings import BasetenSettings
from autoscaler.emulators.faces import Faces
from autoscaler.emulators.fleet import EmulatedDeployment, EmulatedFleet, FleetError
from autoscaler.emulators.load import Loads
from autoscaler.world.plant import World, WorldEvent

PRODUCTION: Final = "production"
_LETTERS: Final = "0123456789bcdfghjklmnpqrstvwxyz"
_RANK: Final = (
    "BUILD_FAILED", "BUILD_STOPPED", "DEPLOY_FAILED", "FAILED", "UNHEALTHY", "BUILDING", "DEPLOYING",
    "LOADING_MODEL", "WAKING_UP", "UPDATING", "DEACTIVATING", "ACTIVE", "SCALED_TO_ZERO", "INACTIVE",
)  # fmt: skip


def made_id(*parts: str) -> str:
    """Eight letters as Baseten's ids have, always the same for the same parts."""
    number = int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:8])
    letters = []
    for _ in range(8):
        number, index = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[index])
    return "".join(letters)


@dataclass(slots=True, eq=False)
class Model:
    """A model and its deployments by Baseten's id."""

    id: str
    name: str
    created_at: float
    deployments: dict[str, Managed] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)

    @property
    def development(self) -> Managed | None:
        """The development deployment, where there is one."""
        return next((one for one in self.deployments.values() if one.exhibit.is_development), None)


@dataclass(slots=True, eq=False)
class ChainDeployment:
    """A deployment of a chain: chainlets by name."""

    id: str
    created_at: float
    environment: str | None
    chainlets: dict[str, Managed] = field(default_factory=dict)

    def word(self, at: float) -> str:
        """One status for all chainlets: the one that most needs a look."""
        faces = (one.exhibit.face(at) or one.exhibit.now for one in self.chainlets.values())
        words = [face.shown_word for face in faces]
        return min(words, key=lambda word: _RANK.index(word) if word in _RANK else -1)


@dataclass(slots=True, eq=False)
class Chain:
    """A chain and its deployments by id."""

    id: str
    name: str
    created_at: float
    deployments: dict[str, ChainDeployment] = field(default_factory=dict)

    def at(self, environment: str) -> ChainDeployment | None:
        """The current deployment of an environment."""
        return next((one for one in self.deployments.values() if one.environment == environment), None)


class Estate:
    """The organisation over a world. Raises: FleetError where the fleet contradicts itself, OutOfStock."""

    def __init__(
        self, fleet: EmulatedFleet, kind: str, world: World, settings: Callable[[], BasetenSettings]
    ) -> None:
        self.world = world
        self.loads = Loads(world)
        self.catalogue = Catalogue()
        self.models: dict[str, Model] = {}
        self.chains: dict[str, Chain] = {}
        self._all: dict[str, Managed] = {}  # by the world's id
        self._shapes: dict[str, Options] = {}
        self._settings = settings
        deployments = fleet.at(kind)
        for one in deployments:
            if one.deployment_id not in world.deployment_ids:
                world.add(one.spec(), world.now)
        for one in deployments:
            self._take(one, options_of(one))
        for managed in self._all.values():
            self._bill(managed)
        self._prices = Faces(world.now, self.catalogue.usd_per_minute)
        world.subscribe(self._see)

    # --- what there is --------------------------------------------------------------------------

    @property
    def everything(self) -> Iterable[Managed]:
        """All deployments and chainlets."""
        return self._all.values()

    @property
    def environments(self) -> Iterable[Environment]:
        """Those of models."""
        return (environment for model in self.models.values() for environment in model.environments.values())

    def find(self, world_id: str) -> Managed | None:
        """By the world's id."""
        return self._all.get(world_id)

    def shape(self, world_id: str) -> Options:
        """What the fleet says of it. Raises: KeyError."""
        return self._shapes[world_id]

    def set_price(self, instance_type: str, usd_per_minute: float) -> None:
        """Another list price, billed from now on. Raises: KeyError."""
        self.catalogue.set_price(instance_type, usd_per_minute)
        self._prices.show(self.world.now, self.catalogue.usd_per_minute)
        for managed in self._all.values():
            if managed.exhibit.instance_type.name == instance_type:
                self._bill(managed)

    def prices(self, at: float) -> Mapping[str, float]:
        """USD per minute of one replica at this instant, by instance type."""
        return self._prices.at(at) or self._prices.now

    def _bill(self, managed: Managed) -> None:
        price = self.catalogue.usd_per_gpu_hour(managed.exhibit.instance_type.name)
        self.world.set_price(managed.id, price, self.world.now)

    # --- taking in ------------------------------------------------------------------------------

    def _take(self, one: EmulatedDeployment, options: Options) -> None:
        asked = settings_of(one, options)
        face = Face(self.world.status(one.deployment_id), asked, environment=options.environment)
        exhibit = Exhibit(
            world_id=one.deployment_id,
            id=options.deployment_id or made_id("deployment", one.vendor, one.name, one.id),
            name=one.name,
            instance_type=self.catalogue.take(one, options),
            created_at=self.world.now,
            places=one.concurrency,
            faces=Faces(self.world.now, face),
            model_id=None if options.chain_id else options.model_id or made_id("model", one.deployment_id),
            is_development=options.is_development,
            chain_id=options.chain_id,
            chainlet=options.chainlet,
            chain_deployment_id=options.chain_id
            and made_id("chain", options.chain_id, options.environment or ""),
        )
        if exhibit.model_id is not None:
            self._take_deployment(exhibit, exhibit.model_id, options.environment, asked)
        else:
            self._take_chainlet(exhibit, options, asked)
        self._shapes[exhibit.world_id] = options

    def _take_deployment(
        self, exhibit: Exhibit, model_id: str, environment: str | None, asked: Autoscaling
    ) -> None:
        model = self.models.setdefault(model_id, Model(model_id, exhibit.name, self.world.now))
        named = f"deployment {exhibit.name!r}: options"
        if exhibit.id in model.deployments:
            raise FleetError(f"{named}.deployment_id {exhibit.id!r} is taken")
        if exhibit.is_development and model.development is not None:
            raise FleetError(f"{named}.is_development: model {model_id!r} has one already")
        if environment in model.environments:
            raise FleetError(f"{named}.environment {environment!r} has a deployment already")
        managed = self._manage(exhibit, asked)
        model.deployments[exhibit.id] = managed
        if environment is not None:
            model.environments[environment] = Environment(
                self.world, model_id, environment, managed, lambda: self._settings().applied_after_s
            )

    def _take_chainlet(self, exhibit: Exhibit, options: Options, asked: Autoscaling) -> None:
        chain_id, chainlet, id_ = (
            str(options.chain_id),
            str(options.chainlet),
            str(exhibit.chain_deployment_id),
        )
        chain = self.chains.setdefault(chain_id, Chain(chain_id, chain_id, self.world.now))
        deployment = chain.deployments.setdefault(
            id_, ChainDeployment(id_, self.world.now, options.environment)
        )
        if chainlet in deployment.chainlets:
            raise FleetError(f"deployment {exhibit.name!r}: options.chainlet {chainlet!r} is taken")
        deployment.chainlets[chainlet] = self._manage(exhibit, asked)

    def _manage(self, exhibit: Exhibit, asked: Autoscaling) -> Managed:
        managed = Managed(self.world, self.loads, exhibit, asked, self._settings)
        self._all[exhibit.world_id] = managed
        return managed

    def _see(self, event: WorldEvent) -> None:
        managed = self._all.get(event.deployment_id)
        if managed is not None:
            managed.see(event)

    # --- what a person does ---------------------------------------------------------------------

    def promote(self, environment: Environment, lasts_s: float, deployment_id: str | None = None) -> Managed:
        """A promotion to the environment: of this deployment of its model, or of a new one like the
        current one, whose first replica starts up. Raises: Refused, KeyError, OutOfStock."""
        environment.check_free()
        model = self.models[environment.model_id]
        if deployment_id is not None:
            candidate = model.deployments[deployment_id]
        else:
            candidate = self._copy(environment.now.current, model)
        environment.promote(candidate, lasts_s)
        return candidate

    def _copy(self, managed: Managed, model: Model) -> Managed:
        number = len(model.deployments) + 1
        old = managed.exhibit
        spec = replace(
            self.world.spec(managed.id),
            id=f"{managed.id}-{number}",
            name=f"{old.name}-{number}",
            initial_replicas=1,
        )
        self.world.add(spec, self.world.now, start=True)
        asked = Autoscaling(concurrency_target=old.places)
        face = Face(self.world.status(spec.id), asked, stage=Stage.LOADING, deployed=False)
        exhibit = Exhibit(
            world_id=spec.id,
            id=made_id("deployment", spec.id),
            name=spec.name,
            instance_type=old.instance_type,
            created_at=self.world.now,
            places=old.places,
            faces=Faces(self.world.now, face),
            model_id=model.id,
        )
        made = self._manage(exhibit, asked)
        model.deployments[exhibit.id] = made
        self._shapes[spec.id] = Options(model_id=model.id, deployment_id=exhibit.id)
        self._bill(made)
        return made
