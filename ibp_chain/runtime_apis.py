"""The runtime APIs that metadata describes: what `state_call` takes and answers, by name.

Source: `frame-metadata` (v15.rs, v16.rs), `RuntimeApiMetadata`. V14 describes none, whatever the
runtime has.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ibp_chain.errors import DecodeError
from ibp_chain.scale.metadata import Reader, TypeId, read_head


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """`inputs` are name and type of each argument, in order; the bytes are one after the other."""

    inputs: tuple[tuple[str, TypeId], ...]
    output: TypeId


RuntimeApis = Mapping[str, Mapping[str, ApiMethod]]
"""By the API's name and the method's."""


def read_runtime_apis(raw: bytes) -> RuntimeApis:
    """Out of metadata, magic first. Raises `DecodeError`."""
    source, version = read_head(raw)
    if version == 14:
        return {}
    reader = _ApiReader(source, version)
    types = reader.metadata().types
    if version == 15:
        source.compact()  # the runtime's own type
    apis = dict(reader.each(reader.api))
    for name, methods in apis.items():
        named = {method.output for method in methods.values()}
        named |= {type_id for method in methods.values() for _, type_id in method.inputs}
        if missing := named - types.keys():
            raise DecodeError(f"{name} names type {min(missing)}, which the metadata lacks")
    return apis


class _ApiReader(Reader):
    """Goes on behind the extrinsic's format, where `read_metadata` stops."""

    def api(self) -> tuple[str, Mapping[str, ApiMethod]]:
        name = self.source.text()
        methods = dict(self.each(self.method))
        self.documentation()
        if self.version >= 16:
            self.source.compact()  # the API's version
        self.deprecation()
        return name, methods

    def method(self) -> tuple[str, ApiMethod]:
        name = self.source.text()
        inputs = self.each(lambda: (self.source.text(), self.source.compact()))
        method = ApiMethod(inputs, self.source.compact())
        self.documentation()
        self.deprecation()
        return name, method
