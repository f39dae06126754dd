"""Models, deployments, environments and chains as the management API shows them at one instant.

Source: PyPI ``baseten`` 0.13.1 (managementapi); docs.baseten.co, reference/management-api.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from autoscaler.emulators.baseten.environments import Environment, EnvironmentFace
from autoscaler.emulators.baseten.estate import PRODUCTION, Chain, ChainDeployment, Model
from autoscaler.emulators.baseten.managed import Managed
from autoscaler.emulators.baseten.schedules import bodies

TEAM: Final = "emulator"
_PROMOTION_SETTINGS: Final = {"redeploy_on_promotion": False, "rolling_deploy": False}


def instant(at: float) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def model_body(model: Model, at: float) -> dict[str, Any]:
    """A model."""
    production = model.environments.get(PRODUCTION)
    face = None if production is None else production.face(at)
    development = model.development
    some = face.current if face is not None else next(iter(model.deployments.values()))
    return {
        "id": model.id,
        "created_at": instant(model.created_at),
        "name": model.name,
        "deployments_count": len(model.deployments),
        "production_deployment_id": None if face is None else face.current.exhibit.id,
        "development_deployment_id": None if development is None else development.exhibit.id,
        "instance_type_name": some.exhibit.instance_type.name,
        "team_name": TEAM,
    }


def deployment_body(managed: Managed, at: float) -> dict[str, Any]:
    """A deployment of a model."""
    exhibit = managed.exhibit
    face = exhibit.face(at) or exhibit.now
    # A candidate is in no environment until it has been promoted.
    environment = None if face.promoting else face.environment
    return {
        "id": exhibit.id,
        "created_at": instant(exhibit.created_at),
        "name": exhibit.name,
        "model_id": exhibit.model_id,
        "is_production": environment == PRODUCTION,
        "is_development": exhibit.is_development,
        "status": face.shown_word,
        "active_replica_count": face.status.ready,
        "autoscaling_settings": face.settings.body() if face.deployed else None,
        "instance_type_name": exhibit.instance_type.name,
        "environment": environment,
        "labels": None,
        "region": None,
        "request_backpressure_settings": {"policy": face.backpressure},
    }


def environment_body(environment: Environment, face: EnvironmentFace, at: float) -> dict[str, Any]:
    """An environment of a model."""
    promotion = face.promotion
    return {
        "name": environment.name,
        "created_at": instant(environment.created_at),
        "model_id": environment.model_id,
        "current_deployment": deployment_body(face.current, at),
        "candidate_deployment": None if promotion is None else deployment_body(promotion.candidate, at),
        "in_progress_promotion": None
        if promotion is None
        else {
            "status": "RAMPING_UP" if promotion.percent(at) else "RELEASING",
            "percent_traffic_to_new_version": promotion.percent(at),
            "error_message": None,
            "rolling_deploy": False,
        },
        "autoscaling_settings": face.settings.body(),
        "promotion_settings": dict(face.promotion_settings),
        "instance_type": face.current.exhibit.instance_type.body(),
        "request_backpressure_settings": {"policy": face.backpressure},
        "autoscaling_schedules": _schedules(face, at),
        "traffic_routing": None,
    }


def _schedules(face: EnvironmentFace, at: float) -> dict[str, Any]:
    exhibit = face.current.exhibit
    deployed = (exhibit.face(at) or exhibit.now).settings
    return {
        "timezone": face.schedules.timezone,
        "schedules": bodies(face.schedules.schedules),
        "applied_state": {"schedule_id": face.applied, "autoscaling_settings": deployed.body()},
    }


def chain_body(chain: Chain) -> dict[str, Any]:
    """A chain."""
    return {
        "id": chain.id,
        "created_at": instant(chain.created_at),
        "name": chain.name,
        "deployments_count": len(chain.deployments),
        "team_name": TEAM,
    }


def chain_deployment_body(chain: Chain, deployment: ChainDeployment, at: float) -> dict[str, Any]:
    """A deployment of a chain, with its chainlets."""
    return {
        "id": deployment.id,
        "created_at": instant(deployment.created_at),
        "chain_id": chain.id,
        "environment": deployment.environment,
        "chainlets": [_chainlet(name, managed, at) for name, managed in deployment.chainlets.items()],
        "status": deployment.word(at),
    }


def _chainlet(name: str, managed: Managed, at: float) -> dict[str, Any]:
    face = managed.exhibit.face(at) or managed.exhibit.now
    return {
        "id": managed.exhibit.id,
        "name": name,
        "autoscaling_settings": face.settings.body() if face.deployed else None,
        "instance_type_name": managed.exhibit.instance_type.name,
        "active_replica_count": face.status.ready,
        "status": face.shown_word,
    }


def chain_environment_body(chain: Chain, deployment: ChainDeployment, at: float) -> dict[str, Any]:
    """An environment of a chain; the chainlets' settings there are those of its current deployment."""
    return {
        "name": deployment.environment,
        "created_at": instant(deployment.created_at),
        "chain_id": chain.id,
        "promotion_settings": dict(_PROMOTION_SETTINGS),
        "chainlet_settings": [
            {
                "chainlet_name": name,
                "autoscaling_settings": _chainlet(name, managed, at)["autoscaling_settings"],
                "instance_type": managed.exhibit.instance_type.body(),
            }
            for name, managed in deployment.chainlets.items()
        ],
        "current_deployment": chain_deployment_body(chain, deployment, at),
        "candidate_deployment": None,
        "in_progress_promotion": None,
    }


def chain_environment_entry(chain: Chain, deployment: ChainDeployment, at: float) -> dict[str, Any]:
    """The same in the list of a chain's environments, which the client reads as environments of models:
    their fields are there too, filled from the first chainlet."""
    first = next(iter(deployment.chainlets.values()))
    return {
        **chain_environment_body(chain, deployment, at),
        "model_id": chain.id,
        "current_deployment": None,
        "autoscaling_settings": (first.exhibit.face(at) or first.exhibit.now).settings.body(),
        "instance_type": first.exhibit.instance_type.body(),
        "request_backpressure_settings": {"policy": None},
        "autoscaling_schedules": None,
        "traffic_routing": None,
    }
