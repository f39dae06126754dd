"""Who supplies the need: the plan that keeps what is set, the cheaper one, and whether moving pays."""

from __future__ import annotations

from decimal import Decimal

from autoscaler.core.allocate import Offer, cheapest
from autoscaler.core.case import Case, Site
from autoscaler.core.limits import UNLIMITED
from autoscaler.core.money import usd
from autoscaler.core.start_up import start_up_s


def supply(case: Case) -> None:
    """Set every site's ``target``, and the plan that stays where it is (``case.stays``)."""
    sites = case.sites
    _price_unknowns(sites)
    _least(case)
    free = [site for site in sites if not site.fixed]
    if case.hard_least > 0:
        _lift_ceilings(case, free)
    for site in sites:
        if site.fixed:
            site.target = (
                min(site.now, site.deployment.max_replicas) if site.obstacle == "drift" else site.now
            )
    if not free:
        case.stays = tuple([site.target for site in sites])
        return
    stays = _stay(case, free, None)
    targets = _move(case, free, stays) if not case.need.keeps_set and len(free) > 1 else stays
    if any(site.overdue for site in free):
        # A replica that does not come carries nothing when others are sized; its own count stays.
        stays = targets = _cover_overdue(case, free, stays)
    for site, target in zip(free, targets, strict=True):
        site.target = target
    if len(free) == len(sites):
        case.stays = stays
        return
    by_key = dict(zip([site.deployment.key for site in free], stays, strict=True))
    case.stays = tuple([by_key.get(site.deployment.key, site.target) for site in sites])


def _price_unknowns(sites: list[Site]) -> None:
    dearest = 0
    for site in sites:
        dearest = max(dearest, site.price.micro_usd or 0)
    for site in sites:
        site.micro_usd = site.price.micro_usd if site.price.micro_usd is not None else dearest + 1


def _least(case: Case) -> None:
    """Replicas that the total must have: floors, and the weaker ones as far as ceilings allow."""
    total = case.limits.total
    asked = sum([site.asked for site in case.sites])
    weak = 0
    for floor in case.need.floors:
        weak = max(weak, min(floor.replicas, asked) if floor.holds_only else floor.replicas)
    case.hard_least = total.floor
    case.least = max(total.floor, min(total.ceiling, weak))


def _lift_ceilings(case: Case, free: list[Site]) -> None:
    """A floor of the total beats policies' ceilings on single deployments, by no more than it must."""
    short = case.hard_least - sum(count for _, count in _fixed(case)) - sum(bounds_of(s)[1] for s in free)
    if short <= 0:
        return
    for site in sorted(free, key=lambda s: (s.micro_usd, s.deployment.name)):
        limits = site.limits
        room = min(limits.forced_ceiling, site.asked) if site.no_increase else limits.forced_ceiling
        extra = min(short, room - limits.ceiling)
        if extra > 0:
            short -= extra
            limits.ceiling += extra
            limits.ceiling_reason = case.limits.total.floor_reason
            limits.ceiling_text = case.limits.total.floor_text


def left_over(case: Case, others: list[tuple[Site, int]]) -> tuple[float, int, int]:
    """Need, least and most replicas that are left when these sites carry what is said, exactly."""
    if not others:
        return case.need.amount, case.least, case.limits.total.ceiling
    carried = sum((Decimal(repr(site.capacity)) * count for site, count in others), Decimal(0))
    counted = sum(count for _, count in others)
    need = max(Decimal(0), Decimal(repr(case.need.amount)) - carried)
    ceiling = case.limits.total.ceiling
    most = ceiling if ceiling >= UNLIMITED else max(0, ceiling - counted)
    return float(need), max(0, case.least - counted), most


def _fixed(case: Case) -> list[tuple[Site, int]]:
    return [(site, site.carries) for site in case.sites if site.fixed]


def bounds_of(site: Site) -> tuple[int, int]:
    """Floor and ceiling of a site for this plan."""
    low, high = site.limits.floor, site.limits.ceiling
    if site.no_increase:
        high = min(high, max(site.asked, 0))
    return min(low, high), high


def _stay(case: Case, free: list[Site], pinned: list[tuple[Site, int]] | None) -> tuple[int, ...]:
    """The best plan that only adds to, or only takes from, what is set."""
    need, least, most = left_over(case, _fixed(case) + (pinned or []))
    if len(free) == 1:
        site = free[0]
        low, high = bounds_of(site)
        keep = min(site.keep, high)
        return cheapest([_offer(site, max(low, min(keep, most)), high)], need, least, most)
    base = [min(max(site.asked, bounds_of(site)[0]), bounds_of(site)[1]) for site in free]
    count = sum(base)
    if count > most:
        # A ceiling is obeyed from what is there, and takes no more than it must of what is kept.
        kept = min(most, sum(min(site.keep, b) for site, b in zip(free, base, strict=True)))
        return cheapest(_shrunk(free, base, most), need, max(least, kept), most)
    capacity = sum((Decimal(repr(s.capacity)) * b for s, b in zip(free, base, strict=True)), Decimal(0))
    if capacity < Decimal(repr(need)) or count < least:
        offers = [_offer(site, b, bounds_of(site)[1]) for site, b in zip(free, base, strict=True)]
    else:
        offers = [
            _offer(site, max(bounds_of(site)[0], min(site.keep, b)), b)
            for site, b in zip(free, base, strict=True)
        ]
    return cheapest(offers, need, least, most)


def _shrunk(free: list[Site], base: list[int], most: int) -> list[Offer]:
    """What a ceiling leaves to choose from: it takes first what does not serve yet."""
    lows = [min(bounds_of(site)[0], b) for site, b in zip(free, base, strict=True)]
    serving = [
        max(low, min(site.memory.ready if site.memory is not None else 0, b))
        for site, low, b in zip(free, lows, base, strict=True)
    ]
    if sum(serving) <= most:
        return [_offer(site, s, b) for site, s, b in zip(free, serving, base, strict=True)]
    return [_offer(site, low, s) for site, low, s in zip(free, lows, serving, strict=True)]


def _offer(site: Site, low: int, high: int) -> Offer:
    return Offer(site.deployment.name, site.capacity, site.micro_usd, min(low, high), high)


def _move(case: Case, free: list[Site], stays: tuple[int, ...]) -> tuple[int, ...]:
    """The cheapest plan of all where changing to it pays, else the one that stays."""
    need, least, most = left_over(case, _fixed(case))
    offers = []
    for site in free:
        low, high = bounds_of(site)
        offers.append(_offer(site, max(low, min(site.keep, high)), high))
    best = cheapest(offers, need, least, most)
    if best == stays or not any(b < s for b, s in zip(best, stays, strict=True)):
        return stays
    both = sum(max(site.asked, count) for site, count in zip(free, best, strict=True))
    if both > case.limits.total.forced_ceiling:
        case.notes.append("no move: an override cannot hold old and new replicas at once")
        return stays
    if not _prices_serve(case, free, best, stays):
        return stays
    cost_stay = sum(site.micro_usd * n for site, n in zip(free, stays, strict=True))
    cost_best = sum(site.micro_usd * n for site, n in zip(free, best, strict=True))
    saves = cost_stay - cost_best
    paid_twice_s = 0.0  # micro-USD per hour, times seconds
    for site, count in zip(free, best, strict=True):
        new = max(0, count - site.asked)
        paid_twice_s += new * site.micro_usd * start_up_s(site.deployment, site.memory, 0.9)
    payback_s = case.service.switch_payback_s
    # Both inequalities without a division: at equality, rounding must not decide.
    pays = saves * payback_s > paid_twice_s
    enough = 100 * cost_best <= cost_stay * (100 - case.preference.switch_if_saves_percent)
    saved, paid_twice = _cents(saves * payback_s / 3.6e9), _cents(paid_twice_s / 3.6e9)
    arithmetic = (
        f"{usd(cost_best):.2f} USD/h instead of {usd(cost_stay):.2f}: over {payback_s:.0f} s that saves "
        f"{saved} USD against {paid_twice} USD paid twice while replicas start"
    )
    if pays and enough and saves > 0:
        case.move = arithmetic
        return best
    if not enough:
        percent = case.preference.switch_if_saves_percent
        arithmetic += f"; less than the {percent:g} % that switch_if_saves_percent asks for"
    case.notes.append(f"no move, {arithmetic}")
    return stays


def _cents(amount_usd: float) -> str:
    """An amount, with more digits where two would hide it."""
    return f"{amount_usd:.2f}" if amount_usd == 0 or abs(amount_usd) >= 0.1 else f"{amount_usd:.4f}"


def _prices_serve(case: Case, free: list[Site], best: tuple[int, ...], stays: tuple[int, ...]) -> bool:
    """Whether every price that the comparison rests on is known and fresh."""
    for site, b, s in zip(free, best, stays, strict=True):
        if b == s and b <= site.asked:
            continue
        age_s = site.price.age_s
        if site.price.micro_usd is None or age_s is None:
            case.notes.append(f"no move: no price for {site.deployment.name}")
            return False
        if age_s > case.preference.price_max_age_s:
            case.notes.append(f"no move: the price for {site.deployment.name} is {age_s:.0f} s old")
            return False
    return True


def _cover_overdue(case: Case, free: list[Site], stays: tuple[int, ...]) -> tuple[int, ...]:
    """Overdue sites keep their count, never more; the others are sized without what does not come."""
    late = [(site, min(count, site.asked)) for site, count in zip(free, stays, strict=True) if site.overdue]
    others = [site for site in free if not site.overdue]
    counts = {id(site): count for site, count in late}
    if others:
        pinned = [(site, min(count, site.asked - site.overdue)) for site, count in late]
        self_counts = _cover(case, others, late, pinned, counts)
        for site, count in zip(others, self_counts, strict=True):
            counts[id(site)] = count
    return tuple(counts[id(site)] for site in free)


def _cover(
    case: Case,
    others: list[Site],
    late: list[tuple[Site, int]],
    pinned: list[tuple[Site, int]],
    counts: dict[int, int],
) -> tuple[int, ...]:
    """Size the others; where the total's ceiling leaves them no room, overdue replicas go back first."""
    wanted = _stay(case, others, pinned)
    ceiling = case.limits.total.ceiling
    fixed = sum(count for _, count in _fixed(case))
    over = sum(wanted) + sum(count for _, count in late) + fixed - ceiling
    for site, count in sorted(late, key=lambda pair: (-pair[0].micro_usd, pair[0].deployment.name)):
        if over <= 0:
            break
        back = min(over, max(0, count - max(site.memory.ready if site.memory else 0, site.limits.floor)))
        if back > 0:
            counts[id(site)] = count - back
            site.gives_back_overdue = True
            over -= back
    if over > 0:
        # No room even so: the others take what is left.
        lent = [(site, counts[id(site)]) for site, _ in late]
        return _stay(case, others, lent)
    return wanted
