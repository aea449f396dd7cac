"""What of the language and its libraries makes objects or runs code out of bytes: no module may use it."""

import ast
from collections.abc import Iterator

_MODULES = (
    "pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "joblib", "copyreg",
)  # fmt: skip
_BUILTINS = ("eval", "exec", "compile", "__import__")
_HOOKS = ("ext_hook", "object_hook", "object_pairs_hook", "list_hook", "cls")
_DECODERS = ("unpackb", "unpack", "Unpacker", "load", "loads", "decode", "Decoder", "JSONDecoder")
_YAML = (
    "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all", "Loader", "CLoader", "UnsafeLoader",
    "CUnsafeLoader", "FullLoader", "CFullLoader", "add_constructor", "add_multi_constructor", "YAMLObject",
)  # fmt: skip
_SAFE_LOADERS = ("YAML_LOADER", "SafeLoader", "CSafeLoader")


def dangers(source: str) -> Iterator[str]:
    """Yield what a module's text has of it, as "line: what"."""
    for node in ast.walk(ast.parse(source)):
        for what in _found(node):
            yield f"{getattr(node, 'lineno', 0)}: {what}"


def _found(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names):
            yield from (alias.name for alias in names if alias.name.partition(".")[0] in _MODULES)
        case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in _MODULES:
            yield module
        case ast.ImportFrom(module="yaml"):
            yield "from yaml import: write yaml.NAME"
        case ast.Name(id=name) if name in _BUILTINS:
            yield name
        case ast.Call(func=ast.Attribute(value=ast.Name(id="yaml"), attr="load"), keywords=keywords):
            yield from _loader(keywords)
        case ast.Attribute(value=ast.Name(id="yaml"), attr=name) if name in _YAML:
            yield f"yaml.{name}"
        case ast.Call(keywords=keywords):
            yield from (f"{word.arg}=" for word in keywords if word.arg in _HOOKS and _last(node.func) in _DECODERS)


def _loader(keywords: list[ast.keyword]) -> Iterator[str]:
    """A `yaml.load` names safe loaders, and no other."""
    values = [word.value for word in keywords if word.arg == "Loader"]
    if not values or not all(_last(inner) in _SAFE_LOADERS for value in values for inner in _choices(value)):
        yield "yaml.load without a safe loader"


def _choices(value: ast.expr) -> list[ast.expr]:
    """Return what an expression may be: getattr(yaml, NAME, default) is either."""
    match value:
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), default]):
            return [ast.Name(id=name), default]
    return [value]


def _last(node: ast.expr) -> str:
    """Return the last name of a dotted one."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
