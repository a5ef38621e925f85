"""JSON of events: one encoder, one decoder, upcasters for retired forms, a fallback for types this release does not know."""

import msgspec

from taskservice.domain.events import AnyEvent
from taskservice.domain.upcasters import UPCASTERS


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event written by a newer release: kept as bytes, skipped by `evolve`, never dropped."""

    type: str
    ts: int
    at: int = 0
    tenant_id: str = ""
    raw: bytes = b""


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    type: str
    ts: int
    at: int = 0
    tenant_id: str = ""


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_envelope_decoder = msgspec.json.Decoder(_Envelope)
_KNOWN = frozenset(member.__name__ for member in AnyEvent.__args__)

encode_event = _encoder.encode


def decode_event(data: bytes) -> AnyEvent | UnknownEvent:
    """Decode one stored event.

    Raises:
        msgspec.DecodeError: it is no event, or a known type with members that do not fit (a bug, never skipped).
    """
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError:
        envelope = _envelope_decoder.decode(data)
        if envelope.type in _KNOWN:
            upcast = UPCASTERS.get(envelope.type)
            if upcast is None:
                raise
            return _decoder.decode(_encoder.encode(upcast(msgspec.json.decode(data))))
        return UnknownEvent(
            type=envelope.type, ts=envelope.ts, at=envelope.at, tenant_id=envelope.tenant_id, raw=bytes(data)
        )
