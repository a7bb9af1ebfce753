"""What simulators' containers import runs on Python 3.9, and the committed protobuf code is that of wiw.proto."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Dict, List, Set

import pytest

from harness.wire.generated import wiw_pb2

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    *sorted((ROOT / "harness" / "contracts").rglob("*.py")),
    *(file for file in sorted((ROOT / "harness" / "wire").rglob("*.py")) if file.name != "wiw_pb2.py"),
]
NEW_DATACLASS_ARGUMENTS = {"slots", "kw_only", "match_args", "weakref_slot"}
NEW_MODULES = {"tomllib", "wsgiref.types"}


def complaints(source: str) -> List[str]:
    """Return what Python 3.9 could not do with a module."""
    try:
        tree = ast.parse(source, feature_version=(3, 9))
    except SyntaxError as error:
        return [f"line {error.lineno}: {error.msg}"]
    found = []
    future = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    statements = [node for node in tree.body if not isinstance(node, ast.Expr)]
    if statements and not future:
        found.append("no `from __future__ import annotations`")
    annotations = _annotation_nodes(tree)
    for node in ast.walk(tree):
        found.extend(_complaints_about(node, annotations))
    return found


def _annotation_nodes(tree: ast.AST) -> Set[int]:
    """Return the ids of all nodes inside annotations, which are never evaluated."""
    roots: List[ast.AST] = []
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            child = getattr(node, name, None)
            if child is not None:
                roots.append(child)
    return {id(inner) for root in roots for inner in ast.walk(root)}


def _is_type(node: ast.AST) -> bool:
    names = {"int", "str", "float", "bool", "bytes", "list", "dict", "tuple", "set", "Any", "Path"}
    return (isinstance(node, ast.Name) and node.id in names) or (isinstance(node, ast.Constant) and node.value is None)


def _complaints_about(node: ast.AST, annotations: Set[int]) -> List[str]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        return [f"line {line}: imports {name}" for name in names if name in NEW_MODULES]
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "dataclass":
        new = [word.arg for word in node.keywords if word.arg in NEW_DATACLASS_ARGUMENTS]
        return [f"line {line}: dataclass({word})" for word in new]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and id(node) not in annotations:
        return [f"line {line}: X | Y at run time"] if _is_type(node.left) or _is_type(node.right) else []
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "zip":
        return [f"line {line}: zip(strict)" for word in node.keywords if word.arg == "strict"]
    return []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_modules_of_containers_are_python_3_9(file: Path) -> None:
    assert complaints(file.read_text(encoding="utf-8")) == []


BAD = {
    "match": "match x:\n    case 1: pass",
    "slots": "from __future__ import annotations\n@dataclass(slots=True)\nclass A: pass",
    "union": "from __future__ import annotations\nA = int | None",
    "tomllib": "from __future__ import annotations\nimport tomllib",
    "strict": "from __future__ import annotations\nzip(a, b, strict=True)",
    "future": "import os",
}


@pytest.mark.parametrize("name", BAD)
def test_the_check_sees_what_it_looks_for(name: str) -> None:
    assert complaints(BAD[name])


def _declared(proto: str) -> Dict[str, List[str]]:
    """Return the fields of every message, the values of every enum and the methods of every service in a .proto."""
    text = re.sub(r"//[^\n]*", "", proto)
    found: Dict[str, List[str]] = {}
    for kind, name, body in re.findall(r"(message|enum|service)\s+(\w+)\s*\{((?:[^{}]|\{[^{}]*\})*)\}", text):
        if kind == "service":
            methods = re.findall(r"rpc (\w+)\((\w+)\) returns \((stream )?(\w+)\)", body)
            found[name] = sorted(f"{m} {given} {stream.strip()} {reply}" for m, given, stream, reply in methods)
        elif kind == "enum":
            found[name] = sorted(f"{value} {number}" for value, number in re.findall(r"(\w+)\s*=\s*(\d+);", body))
        else:
            fields = re.findall(r"(repeated\s+)?(\w+)\s+(\w+)\s*=\s*(\d+);", body)
            found[name] = sorted(f"{many.strip()} {type} {field} {number}" for many, type, field, number in fields)
    return found


def _generated() -> Dict[str, List[str]]:
    """Return the same of the committed code."""
    from google.protobuf import descriptor_pb2  # type: ignore[import-untyped]

    file = descriptor_pb2.FileDescriptorProto.FromString(wiw_pb2.DESCRIPTOR.serialized_pb)
    types = descriptor_pb2.FieldDescriptorProto
    found = {}
    for message in file.message_type:
        fields = []
        for field in message.field:
            many = "repeated" if field.label == types.LABEL_REPEATED else ""
            kind = field.type_name.rpartition(".")[2] or types.Type.Name(field.type)[len("TYPE_") :].lower()
            fields.append(f"{many} {kind} {field.name} {field.number}")
        found[message.name] = sorted(fields)
    for enum in file.enum_type:
        found[enum.name] = sorted(f"{value.name} {value.number}" for value in enum.value)
    for service in file.service:
        found[service.name] = sorted(
            f"{m.name} {m.input_type.rpartition('.')[2]} {'stream' if m.server_streaming else ''} "
            f"{m.output_type.rpartition('.')[2]}"
            for m in service.method
        )
    return found


def test_the_committed_code_is_that_of_the_proto() -> None:
    declared = _declared((ROOT / "harness" / "wire" / "wiw.proto").read_text(encoding="utf-8"))
    assert len(declared) > 40
    assert declared == _generated()


def test_the_committed_code_comes_from_a_generator_that_old_runtimes_load() -> None:
    source = (ROOT / "harness" / "wire" / "generated" / "wiw_pb2.py").read_text(encoding="utf-8")
    assert "Protobuf Python Version: 4.25" in source
    assert "runtime_version" not in source
