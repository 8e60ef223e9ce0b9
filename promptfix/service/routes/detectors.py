"""/v1/promptfix/detectors: which there are, and switching single ones off while serving."""

from typing import Any

from litestar import get, patch
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from promptfix.formats import Detector
from promptfix.records import Record
from promptfix.service.failures import Unknown
from promptfix.service.keys import operated
from promptfix.service.replies import Json
from promptfix.service.spec import ERRORS
from promptfix.service.state import Service


class Switch(Record):
    """The body of PATCH /v1/promptfix/detectors/{id}."""

    enabled: bool


@get("/promptfix/detectors", sync_to_thread=False, responses=ERRORS)
def detectors(service: NamedDependency[Service]) -> Json:
    """List the detectors of the loaded lens."""
    return {"object": "list", "data": [_shown(service, one) for one in _known(service)]}


@patch("/promptfix/detectors/{name:str}", sync_to_thread=False, guards=[operated], responses=ERRORS)
def switch(name: FromPath[str], data: JSONBody[Switch], service: NamedDependency[Service]) -> Json:
    """Switch a detector off, or on again, until the service ends; the settings name the rest."""
    found = next((one for one in _known(service) if one.id == name), None)
    if found is None:
        raise Unknown("no detector of this lens has this id", param="id", code="not_found")
    off = service.reader.off
    service.reader.off = off - {name} if data.enabled else off | {name}
    return _shown(service, found)


def _known(service: Service) -> tuple[Detector, ...]:
    """The detectors that can be switched: one that is off by the settings was not loaded."""
    pipeline = service.pipeline
    return pipeline.library.detectors_for(pipeline.microscope.lens, pipeline.policy.disabled)


def _shown(service: Service, detector: Detector) -> Json:
    return {
        "id": detector.id,
        "version": detector.version,
        "misunderstanding": detector.misunderstanding,
        "status": detector.status,
        "enabled": detector.id not in service.reader.off,
    }


ROUTES: list[Any] = [detectors, switch]
