"""PLACEHOLDER by the lead until helper SCALE lands its compiled version: same API, slow. SCALE helper: overwrite this file and delete fallback_metadata.py."""

from __future__ import annotations

# mypy: ignore-errors
# ruff: noqa
import difflib
import sys
from hashlib import blake2b
from typing import Any, Callable, Mapping
import xxhash

import ibp_chain.fallback_metadata as M
from ibp_chain.blocks import EventRecord, Extrinsic, Phase, blake2_256
from ibp_chain.errors import DecodeError, InputError
from ibp_chain.scale.primitives import decode_compact, encode_compact
from ibp_chain.scale.values import Call

INT = {f"{s}{n}": (n // 8, s == "i") for s in "ui" for n in (8, 16, 32, 64, 128, 256)}
Dec = Callable[[bytes, int], tuple[Any, int]]
Enc = Callable[[Any], bytes]


class Registry:
    def __init__(self, md):
        self.md = md
        self.t = md.types
        self.d = {}
        self.e = {}
        self.call_type = md.extrinsic.call

    def dec(self, tid) -> Dec:
        if tid not in self.d:
            self.d[tid] = lambda b, p: self.d[tid](b, p)  # for recursion
            fn = self._dec(tid)
            self.d[tid] = fn
        return self.d[tid]

    def is_option(self, tid):
        return self.t[tid].path == ("Option",)

    def _dec(self, tid) -> Dec:
        ty = self.t[tid]
        df = ty.definition
        if tid == self.call_type:
            return self._dec_call(df)
        match df:
            case M.Primitive(name):
                if name in INT:
                    size, signed = INT[name]

                    def f(b, p):
                        q = p + size
                        if q > len(b):
                            raise DecodeError(f"{name} expected, input ends", p)
                        return int.from_bytes(b[p:q], "little", signed=signed), q

                    return f
                if name == "bool":

                    def f(b, p):
                        if p >= len(b) or b[p] > 1:
                            raise DecodeError("bool expected", p)
                        return b[p] == 1, p + 1

                    return f
                if name == "str":

                    def f(b, p):
                        n, q = decode_compact(b, p)
                        if q + n > len(b):
                            raise DecodeError("str runs past the end", p)
                        try:
                            return b[q : q + n].decode(), q + n
                        except UnicodeDecodeError as e:
                            raise DecodeError("no UTF-8", p) from e

                    return f

                def f(b, p):
                    if p + 4 > len(b):
                        raise DecodeError("char expected", p)
                    try:
                        return chr(int.from_bytes(b[p : p + 4], "little")), p + 4
                    except (ValueError, OverflowError) as e:
                        raise DecodeError("no char", p) from e

                return f
            case M.Compact():
                return decode_compact
            case M.Composite(fields):
                return self._fields(fields)
            case M.Tuple(types):
                return self._tuple([self.dec(x) for x in types])
            case M.Array(n, inner):
                if self.t[inner].definition == M.Primitive("u8"):

                    def f(b, p):
                        if p + n > len(b):
                            raise DecodeError(f"{n} bytes expected", p)
                        return b[p : p + n], p + n

                    return f
                d = self.dec(inner)

                def f(b, p):
                    out = []
                    for _ in range(n):
                        v, p = d(b, p)
                        out.append(v)
                    return out, p

                return f
            case M.Sequence(inner):
                if self.t[inner].definition == M.Primitive("u8"):

                    def f(b, p):
                        n, q = decode_compact(b, p)
                        if q + n > len(b):
                            raise DecodeError(f"{n} bytes expected", p)
                        return b[q : q + n], q + n

                    return f
                d = self.dec(inner)

                def f(b, p):
                    n, q = decode_compact(b, p)
                    if n > max(len(b) - q, 0) and n > 1 << 16:
                        raise DecodeError(f"{n} elements announced", p)
                    out = []
                    for _ in range(n):
                        v, q = d(b, q)
                        out.append(v)
                    return out, q

                return f
            case M.BitSequence():

                def f(b, p):
                    n, q = decode_compact(b, p)
                    k = (n + 7) // 8
                    if q + k > len(b):
                        raise DecodeError("bits expected", p)
                    return (n, b[q : q + k]), q + k

                return f
            case M.VariantDef(variants):
                if ty.path == ("Option",):
                    some = next(v for v in variants if v.name == "Some").fields[0].type
                    d = self.dec(some)
                    nested = self.is_option(some)

                    def f(b, p):
                        if p >= len(b) or b[p] > 1:
                            raise DecodeError("option expected", p)
                        if not b[p]:
                            return None, p + 1
                        v, q = d(b, p + 1)
                        return (("Some", v) if nested else v), q

                    return f
                plain = all(not v.fields for v in variants)
                tbl = {v.index: (v.name, self._fields(v.fields)) for v in variants}
                name = "::".join(ty.path)

                def f(b, p):
                    if p >= len(b):
                        raise DecodeError(f"{name} expected, input ends", p)
                    ent = tbl.get(b[p])
                    if ent is None:
                        raise DecodeError(f"{name} has no variant {b[p]}", p)
                    if plain:
                        return ent[0], p + 1
                    v, q = ent[1](b, p + 1)
                    return (ent[0], v), q

                return f
        raise AssertionError(df)

    def _tuple(self, ds):
        if len(ds) == 1:
            return ds[0]

        def f(b, p):
            out = []
            for d in ds:
                v, p = d(b, p)
                out.append(v)
            return tuple(out), p

        return f

    def _fields(self, fields):
        ds = [self.dec(x.type) for x in fields]
        if fields and fields[0].name is not None:
            names = [x.name for x in fields]

            def f(b, p):
                out = {}
                for n, d in zip(names, ds):
                    out[n], p = d(b, p)
                return out, p

            return f
        return self._tuple(ds)

    def _dec_call(self, df):
        tbl = {}
        for v in df.variants:
            inner = self.t[v.fields[0].type].definition
            for c in inner.variants:
                tbl[v.index, c.index] = (
                    v.name,
                    c.name,
                    [x.name for x in c.fields],
                    [self.dec(x.type) for x in c.fields],
                )

        def f(b, p):
            if p + 2 > len(b):
                raise DecodeError("call expected, input ends", p)
            ent = tbl.get((b[p], b[p + 1]))
            if ent is None:
                raise DecodeError(f"no call {b[p]}.{b[p + 1]} in this runtime", p)
            q = p + 2
            args = {}
            for n, d in zip(ent[2], ent[3]):
                args[n], q = d(b, q)
            return Call(ent[0], ent[1], args, b, p, q), q

        return f

    # --- encode
    def enc(self, tid) -> Enc:
        if tid not in self.e:
            self.e[tid] = lambda v: self.e[tid](v)
            self.e[tid] = self._enc(tid)
        return self.e[tid]

    def _enc(self, tid) -> Enc:
        ty = self.t[tid]
        df = ty.definition
        if tid == self.call_type:

            def f(v):
                if not isinstance(v, Call):
                    raise InputError("a Call is expected")
                return v.data

            return f
        match df:
            case M.Primitive(name):
                if name in INT:
                    size, signed = INT[name]

                    def f(v):
                        try:
                            return int(v).to_bytes(size, "little", signed=signed)
                        except OverflowError as e:
                            raise InputError(f"{v} does not fit {name}") from e

                    return f
                if name == "bool":
                    return lambda v: b"\1" if v else b"\0"
                if name == "str":
                    return lambda v: encode_compact(len(v.encode())) + v.encode()
                return lambda v: ord(v).to_bytes(4, "little")
            case M.Compact():
                return encode_compact
            case M.Composite(fields):
                return self._efields(fields)
            case M.Tuple(types):
                return self._etuple([self.enc(x) for x in types])
            case M.Array(n, inner):
                if self.t[inner].definition == M.Primitive("u8"):

                    def f(v):
                        if len(v) != n:
                            raise InputError(f"{n} bytes expected, not {len(v)}")
                        return bytes(v)

                    return f
                e = self.enc(inner)
                return lambda v: b"".join(map(e, v))
            case M.Sequence(inner):
                if self.t[inner].definition == M.Primitive("u8"):
                    return lambda v: encode_compact(len(v)) + bytes(v)
                e = self.enc(inner)
                return lambda v: encode_compact(len(v)) + b"".join(map(e, v))
            case M.BitSequence():
                return lambda v: encode_compact(v[0]) + v[1]
            case M.VariantDef(variants):
                if ty.path == ("Option",):
                    some = next(v for v in variants if v.name == "Some").fields[0].type
                    e = self.enc(some)
                    nested = self.is_option(some)
                    return lambda v: b"\0" if v is None else b"\1" + e(v[1] if nested else v)
                tbl = {v.name: (v.index, self._efields(v.fields)) for v in variants}
                plain = all(not v.fields for v in variants)
                name = "::".join(ty.path)

                def f(v):
                    n, payload = (v, ()) if plain or isinstance(v, str) else v
                    if n not in tbl:
                        raise InputError(f"{name} has no variant {n!r}")
                    i, e = tbl[n]
                    return bytes((i,)) + e(payload)

                return f
        raise AssertionError(df)

    def _etuple(self, es):
        if len(es) == 1:
            return es[0]
        return lambda v: b"".join(e(x) for e, x in zip(es, v, strict=True))

    def _efields(self, fields):
        es = [self.enc(x.type) for x in fields]
        if fields and fields[0].name is not None:
            names = [x.name for x in fields]

            def f(v):
                if not isinstance(v, Mapping) or set(v) != set(names):
                    raise InputError(f"fields {names} are expected, not {v!r}")
                return b"".join(e(v[n]) for n, e in zip(names, es))

            return f
        return self._etuple(es)


HASH = {
    "Blake2_128": lambda k: blake2b(k, digest_size=16).digest(),
    "Blake2_256": lambda k: blake2b(k, digest_size=32).digest(),
    "Blake2_128Concat": lambda k: blake2b(k, digest_size=16).digest() + k,
    "Twox128": lambda k: twox(k, 2),
    "Twox256": lambda k: twox(k, 4),
    "Twox64Concat": lambda k: twox(k, 1) + k,
    "Identity": lambda k: k,
}


def twox(k, n):
    return b"".join(xxhash.xxh64_intdigest(k, s).to_bytes(8, "little") for s in range(n))


class Runtime:
    def __init__(self, raw):
        self.metadata_hash = blake2_256(raw)
        self.md = md = M.read_metadata(raw)
        self.r = Registry(md)
        v = self.constant("System", "Version")
        self.spec_name, self.spec_version, self.transaction_version = (
            v["spec_name"],
            v["spec_version"],
            v["transaction_version"],
        )
        x = md.extrinsic
        self._addr = self.r.dec(x.address)
        self._sig = self.r.dec(x.signature)
        self._exts = [(e.identifier, self.r.dec(e.type)) for e in x.extensions]
        self._call = self.r.dec(x.call)
        self._events = {}
        for p in md.pallets.values():
            if p.event is not None:
                for v in md.types[p.event].definition.variants:
                    self._events[p.index, v.index] = (p.name, v.name, self.r._fields(v.fields))

    @classmethod
    def from_metadata(cls, raw):
        return cls(raw)

    def _pallet(self, name):
        if name not in self.md.pallets:
            raise InputError(f"no pallet {name}")
        return self.md.pallets[name]

    def has_pallet(self, n):
        return n in self.md.pallets

    def constant(self, pallet, name):
        c = self._pallet(pallet).constants[name]
        return self.r.dec(c.type)(c.value, 0)[0]

    def decode_extrinsic(self, raw):
        n, p = decode_compact(raw, 0)
        if p + n != len(raw):
            raise DecodeError("length prefix differs", 0)
        ver = raw[p]
        p += 1
        signer, exts = None, {}
        if ver == 0x84:
            a, p = self._addr(raw, p)
            _, p = self._sig(raw, p)
            for name, d in self._exts:
                exts[name], p = d(raw, p)
            signer = a[1] if isinstance(a, tuple) and a[0] == "Id" else None
        elif ver == 0x45:
            p += 1
            for name, d in self._exts:
                exts[name], p = d(raw, p)
        elif ver not in (4, 5):
            raise DecodeError(f"extrinsic version {ver:#x}", p - 1)
        c, p = self._call(raw, p)
        if p != len(raw):
            raise DecodeError("trailing bytes", p)
        return Extrinsic(raw, signer, exts, c)

    def decode_events(self, raw, *, pallets=None):
        n, p = decode_compact(raw, 0)
        out = []
        for i in range(n):
            ph = raw[p]
            p += 1
            x = None
            if ph == 0:
                x = int.from_bytes(raw[p : p + 4], "little")
                p += 4
            ent = self._events.get((raw[p], raw[p + 1]))
            if ent is None:
                raise DecodeError("unknown event", p)
            v, p = ent[2](raw, p + 2)
            k, p = decode_compact(raw, p)
            topics = tuple(raw[p + 32 * j : p + 32 * j + 32] for j in range(k))
            p += 32 * k
            if pallets is None or ent[0] in pallets:
                out.append(EventRecord(i, Phase(ph), x, ent[0], ent[1], v, topics))
        if p != len(raw):
            raise DecodeError("trailing", p)
        return tuple(out)

    def decode_call(self, raw):
        c, p = self._call(raw, 0)
        if p != len(raw):
            raise DecodeError("trailing bytes", p)
        return c

    def encode_call(self, pallet, name, args):
        p = self._pallet(pallet)
        for v in self.md.types[p.calls].definition.variants:
            if v.name == name:
                return (
                    bytes((p.index, v.index)) + self.r._efields(v.fields)(args)
                    if v.fields
                    else bytes((p.index, v.index))
                )
        raise InputError(f"{pallet} has no call {name}")

    def call(self, pallet, name, args):
        return self.decode_call(self.encode_call(pallet, name, args))

    def storage_prefix(self, pallet, entry):
        return twox(self._pallet(pallet).storage_prefix.encode(), 2) + twox(entry.encode(), 2)

    def storage_key(self, pallet, entry, *keys):
        e = self._pallet(pallet).storage[entry]
        k = self.storage_prefix(pallet, entry)
        if e.key is None:
            return k
        types = [e.key] if len(e.hashers) == 1 else list(self.md.types[e.key].definition.types)
        return k + b"".join(HASH[h](self.r.enc(t)(v)) for h, t, v in zip(e.hashers, types, keys))

    def decode_storage(self, pallet, entry, raw):
        v, p = self.r.dec(self._pallet(pallet).storage[entry].value)(raw, 0)
        if p != len(raw):
            raise DecodeError("trailing bytes", p)
        return v

    def error_name(self, e):
        if isinstance(e, str):
            return e
        k, v = e
        if k == "Module":
            for p in self.md.pallets.values():
                if p.index == v["index"]:
                    for x in self.md.types[p.error].definition.variants:
                        if x.index == v["error"][0]:
                            return f"{p.name}.{x.name}"
        return f"{k}.{v}" if isinstance(v, str) else k

    def _variants(self, tid):
        return {} if tid is None else {v.name for v in self.md.types[tid].definition.variants}

    def has_call(self, pallet, name):
        return self.has_pallet(pallet) and name in self._variants(self._pallet(pallet).calls)

    def has_event(self, pallet, name):
        return self.has_pallet(pallet) and name in self._variants(self._pallet(pallet).event)

    def encode_storage(self, pallet, entry, value):
        return self.r.enc(self._pallet(pallet).storage[entry].value)(value)

    def decode_storage_key(self, pallet, entry, raw):
        e = self._pallet(pallet).storage[entry]
        p = 32
        out = []
        types = [e.key] if len(e.hashers) == 1 else list(self.md.types[e.key].definition.types)
        for h, t in zip(e.hashers, types):
            p += {"Blake2_128Concat": 16, "Twox64Concat": 8, "Identity": 0}[h]
            v, p = self.r.dec(t)(raw, p)
            out.append(v)
        return tuple(out)
