"""Whether every parameter moves by its own loss, in words."""

from collections.abc import Collection, Iterator, Mapping

from ganlib.contract.tour import Seen

SHOWN = 3  # names in a sentence


def mistakes(seen: Seen, unmoved: Mapping[str, str]) -> Iterator[str]:
    """What breaks that promise; unmoved: a reason for each parameter that no update can move."""
    for loss, moved in seen.moved.items():
        if strayed := moved - seen.own[loss]:
            yield f"step({loss}=...) has moved {some(strayed)}, of another optimizer."
    tried = ", ".join(f"{k} and {k + 1}" for k in seen.iterations)
    if alone := seen.parameters - seen.stepped:
        yield f"No step is by an optimizer of {some(alone)}, in iterations {tried}."
    if wrong := unmoved.keys() - seen.still:
        yield f"`unmoved` names {some(wrong)}: a step has moved it, or there is no such parameter."
    if unsaid := {name for name, reason in unmoved.items() if not reason}:
        yield f"`unmoved` gives no reason for {some(unsaid)}."
    if lost := seen.still - seen.gradients - unmoved.keys():
        yield (
            f"{some(lost)}: nothing moves it, as no loss that is stepped by reaches it (it has no "
            f"gradient, which is not one of 0). Tried were iterations {tried}, where every stage "
            "and phase begins. Compute a loss by it, let its stage be reached, or name it with the "
            "reason in Algorithm(unmoved=...)."
        )
    if held := seen.still & seen.pushed:
        yield f"{some(held)} had a gradient and has not moved: is its learning rate 0?"
    for network in sorted(_networks(seen.stepped)):
        of_network = {name for name in seen.stepped if _networks([name]) == {network}}
        if of_network <= waiting(seen, unmoved):
            yield f"Every gradient of {network} is exactly 0."


def waiting(seen: Seen, unmoved: Mapping[str, str]) -> set[str]:
    """What has not moved because every gradient that it had was exactly 0, which is no mistake."""
    return seen.still & seen.gradients - seen.pushed - unmoved.keys()


def some(names: Collection[str]) -> str:
    """A few names, sorted, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more


def _networks(names: Collection[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}
