"""How far to go with a request: as it wishes, else as the service is set."""

import hashlib

from promptfix.records import Mode
from promptfix.service.failures import Forbidden, Refused
from promptfix.service.settings import ServiceSettings


def choose(
    wished: Mode | None, settings: ServiceSettings, text: str, *, repairs: bool = True
) -> Mode:
    """Decide the mode for a prompt. Raises Forbidden or Refused.

    `repairs` says whether there are detectors that may edit for the model that answers. Where
    there are none, a wish to repair is refused, and the service's own `repair` is `detect`.
    """
    own = default(settings, text)
    own = "detect" if own == "repair" and not repairs else own
    if wished is None or wished == own:
        return own
    if not settings.allow_override:
        raise Forbidden("the mode is not for requests to choose here; leave it out", param="mode")
    if wished == "repair" and not repairs:
        raise Refused(
            "no detector was calibrated on this model's answers, so prompts for it are not "
            "edited; ask for detect, or calibrate with `promptfix mine --answers-from`",
            param="mode",
        )
    return wished


def default(settings: ServiceSettings, text: str) -> Mode:
    """The service's own mode; with a canary share, always the same for the same text."""
    if settings.canary is not None:
        return "repair" if share(text) < settings.canary / 100 else "detect"
    return settings.mode or ("detect" if settings.upstream else "repair")


def share(text: str) -> float:
    """Where in [0, 1) a text falls, evenly and for ever."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
