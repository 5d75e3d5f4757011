"""How a plug-in says which options it has."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

import msgspec
import msgspec.structs

__all__ = ["MISSING", "Option", "checks_of", "option", "options_of", "plugin"]

MISSING: Any = msgspec.NODEFAULT
T = TypeVar("T")


class Option(typing.NamedTuple):
    """One option of a plug-in, as documented."""

    name: str
    help: str
    kind: Any  # the annotation
    default: Any  # MISSING when the option must be given

    @property
    def required(self) -> bool:
        return self.default is MISSING


def option(
    help: str,
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    check: Callable[[Any], str | None] | None = None,
) -> Any:
    """Declares a field of a plug-in. `check` gets the value and returns what is wrong with it, or None."""
    return _Declared(help, check, default, default_factory)


class _Declared(typing.NamedTuple):
    """What `option` says of a field, until `plugin` makes a class with it."""

    help: str
    check: Callable[[Any], str | None] | None
    default: Any
    factory: Callable[[], Any] | None

    @property
    def value(self) -> Any:
        """The default itself."""
        return self.factory() if self.factory else self.default

    @property
    def field(self) -> Any:
        """As a structure has it."""
        return msgspec.field(default_factory=self.factory) if self.factory else msgspec.field(default=self.default)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option,))
def plugin(cls: type[T]) -> type[T]:
    """Makes a plug-in of a class: frozen, made by keywords, with `__post_init__` and room for cached properties."""
    if not cls.__doc__:
        raise TypeError(f"{cls.__name__} needs a docstring: it is the plug-in's manual")
    own = _own(cls)
    body = {name: each.field for name, each in own.items()}
    body["__annotations__"] = {name: cls.__annotations__[name] for name in own}
    body["__options__"] = {**getattr(cls, "__options__", {}), **own}
    body |= {name: getattr(cls, name) for name in ("__doc__", "__module__", "__qualname__")}
    bases = (cls,) if issubclass(cls, msgspec.Struct) else (cls, msgspec.Struct)
    keywords: dict[str, Any] = {"frozen": True, "kw_only": True, "dict": True}
    if type(cls) not in (type, type(msgspec.Struct)):  # it says that it is a Watcher, say: a protocol
        keywords["metaclass"] = type("_Meta", (type(msgspec.Struct), type(cls)), {})
    return types.new_class(cls.__name__, bases, keywords, lambda namespace: namespace.update(body))


def _own(cls: type[Any]) -> dict[str, _Declared]:
    """The options that a class declares itself; one that goes on from another plug-in is a structure already."""
    values = dict(vars(cls))
    if issubclass(cls, msgspec.Struct):
        values = {field.name: field.default for field in msgspec.structs.fields(cls)}
    own = {name: value for name, value in values.items() if isinstance(value, _Declared)}
    if bare := [name for name in own if name not in getattr(cls, "__annotations__", {})]:
        raise TypeError(f"{cls.__name__}.{bare[0]} is an option and has no type: write {bare[0]}: TYPE = option(…)")
    return own


def _declared(cls: Any) -> Mapping[str, _Declared]:
    return cls.__options__  # type: ignore[no-any-return]


def options_of(cls: type[Any]) -> list[Option]:
    """The options of a plug-in, in order of declaration."""
    hints = _hints(typing.cast(Any, cls))
    return [Option(name, each.help, hints[name], each.value) for name, each in _declared(cls).items()]


def checks_of(cls: type[Any]) -> dict[str, Callable[[Any], str | None] | None]:
    """What each of the options is checked by."""
    return {name: each.check for name, each in _declared(cls).items()}


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)
