"""What a step's result depends on, and in words what changed since the last time.

A key stores its components separately, so that a miss can be explained. Numbers
of cells and names of producing steps are in the components for the sentence
only; moving a cell or renaming an upstream step changes no key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kfnb.engine.cache.file_contents import file_content
from kfnb.engine.cache.local_modules import LocalModules
from kfnb.engine.cache.pip_installs import install_files
from kfnb.engine.dispatch import kernels
from kfnb.engine.dispatch.step_notebook import pieces_of
from kfnb.engine.dispatch.step_orders import (
    HASH_SEED,
    Site,
    Upstream,
    environment,
    input_definitions,
    resolve_path,
    used_parameters,
    watched,
)
from kfnb.json_values import from_plain, to_plain
from kfnb.masked_parameters import DIGEST, MASK
from kfnb.notebook.effects.process_reads import ProcessReads, process_reads
from kfnb.pipeline import Pipeline, Step, additions_name
from kfnb.state_names import state_of
from kfnb.store.content import hash_bytes
from kfnb.store.hash_cache import FileHashes
from kfnb.store.manifest import Manifest, Output

SCHEMA = 1
# KFNB_ATTEMPT is missing because only the order of an attempt has it: a key is computed before
# there is an attempt, and `environment` does not contain the variable.
_OURS = ("KFNB_RUN", "KFNB_STEP")


@dataclass(frozen=True, slots=True)
class CodePart:
    """The statements that a step executes from one cell."""

    cell: int
    hash: str


@dataclass(frozen=True, slots=True)
class InputPart:
    """The content of an input and the step that it came from."""

    hash: str
    step: str


@dataclass(frozen=True, slots=True)
class Key:
    """Everything that a step's result depends on and that is known before it runs.

    ``group`` has the results of the steps that have used the same kernel before.
    ``folder`` is the notebook's folder if the code reads the working directory, else empty.
    """

    code: tuple[CodePart, ...]
    modules: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, InputPart] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    interpreter: Mapping[str, str] = field(default_factory=dict)
    group: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    schema: int = SCHEMA

    @property
    def base(self) -> str:
        """The hash under which entries for this key are listed."""
        # Numbers of cells and names of steps only explain a key: moving a cell changes no result.
        plain = to_plain(self)
        plain["code"] = [part["hash"] for part in plain["code"]]
        plain["inputs"] = {name: part["hash"] for name, part in plain["inputs"].items()}
        group = plain.pop("group")
        if group:
            plain["group"] = list(group.values())
        if not self.folder:  # most code does not read it, and older keys do not have it
            del plain["folder"]
        return hash_bytes(json.dumps(plain, sort_keys=True).encode()).partition("-")[0]

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Key:
        """Read what :func:`~kfnb.json_values.to_plain` made of a key."""
        key: Key = from_plain(Key, plain)
        return key


@dataclass(frozen=True, slots=True)
class RequestedOutputs:
    """What an execution was asked to publish; one that published less is no hit."""

    outputs: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def lacks(self, other: RequestedOutputs) -> str | None:
        """Say what ``other`` asks for beyond this; None if nothing."""
        for mine, theirs, words in (
            (self.outputs, other.outputs, 'a later step now uses the output "{}"'),
            (self.watch, other.watch, 'a later step now uses "{}" too'),
            (self.metrics, other.metrics, 'metric "{}" is new'),
        ):
            for name in theirs:
                if name not in mine:
                    return words.format(name)
        return None


def asked(pipeline: Pipeline, step: Step) -> RequestedOutputs:
    """Return what an execution of ``step`` is asked to publish."""
    return RequestedOutputs(
        outputs=tuple(sorted(step.published)),
        watch=watched(pipeline, step),
        metrics=tuple(sorted(step.metrics)),
    )


def step_key(
    pipeline: Pipeline,
    step: Step,
    *,
    inputs: Mapping[str, Upstream | None],
    site: Site,
    hashes: FileHashes,
    modules: LocalModules,
    group: Mapping[str, str],
) -> Key:
    """Compute the key of ``step`` for the inputs that it will get."""
    # Definitions that an input needs to be loaded are part of the code that the step executes.
    definitions = input_definitions(pipeline, step, inputs)
    pieces = [p for p in pieces_of(step, definitions) if p.statements]
    files = modules.files(step.modules)
    reads = modules.reads(files)
    for piece in pieces:
        for statement in piece.statements:
            reads |= process_reads(statement.code)
    env = environment(pipeline, step, site)
    return Key(
        code=tuple(
            CodePart(p.cell, hash_bytes("\0".join(s.code for s in p.statements).encode()))
            for p in pieces
        ),
        modules={
            path.relative_to(site.workdir).as_posix(): hashes.of(path) or "" for path in files
        },
        parameters={
            name: site.masked.get(name, value)
            for name, value in used_parameters(pipeline, step, site.parameters).items()
        },
        inputs={
            _key_name(step, name): InputPart(output_hash(source.manifest, name), source.step)
            if source
            else InputPart("absent", "")
            for name, source in sorted(inputs.items(), key=lambda item: item[0])
            # Each entry says which states it relied on: see Cache.
            if state_of(name) is None
        },
        # The names of the run and the step are different in each run, and say nothing about
        # results.
        env={
            # The values may be secrets, and a key is stored.
            name: value if name == HASH_SEED else hash_bytes(os.fsencode(value))
            for name, value in sorted({**_inherited(reads, step, site), **env}.items())
            if name not in _OURS
        },
        interpreter=_interpreter_of(step, site),
        group=group,
        folder=str(site.workdir) if reads.folder and step.name not in site.images else "",
    )


def _inherited(reads: ProcessReads, step: Step, site: Site) -> dict[str, str]:
    """Return the variables of the driver's environment that a step's code reads by name."""
    if step.name in site.images:  # a pod does not get the driver's environment
        return {}
    return {name: os.environ[name] for name in reads.variables if name in os.environ}


def kernel_results(manifests: Mapping[str, Manifest | None]) -> dict[str, str]:
    """Return which results steps have that have used a kernel, by step, each as a text.

    What they have left there has no hash, so that the execution stands for it.
    """
    return {
        name: f"{manifest.run} {manifest.attempt}"
        for name, manifest in manifests.items()
        if manifest is not None
    }


def _key_name(step: Step, name: str) -> str:
    """Return an input's name in the key: additions count by their order, not by their steps."""
    for value, collection in step.collects.items():
        for number, adder in enumerate(collection.adders, 1):
            if name == additions_name(value, adder):
                return f"{value} (addition {number})"
    return name


def output_hash(manifest: Manifest, name: str) -> str:
    """Return the content hash of a published name."""
    output = manifest.outputs.get(name, Output(absent=True))
    if output.absent or not output.bundle:
        return "absent"
    # Some values have no hash; the blobs of its bundle identify it too.
    return output.hash or "+".join(manifest.bundles[output.bundle].blobs)


def static_reads(
    pipeline: Pipeline,
    step: Step,
    *,
    site: Site,
    upstream: Mapping[str, Manifest],
    hashes: FileHashes,
) -> dict[str, str | None]:
    """Hash the files that the step's source names as read or installs, before the step runs.

    A file that the step's source writes before it reads it is no input.
    """
    first: dict[str, tuple[int, int]] = {}
    for use in step.writes:
        path = resolve_path(pipeline, use, site.parameters)
        if path:
            first[path] = min((use.cell, use.line), first.get(path, (use.cell, use.line)))
    paths = set()
    for use in step.reads:
        path = resolve_path(pipeline, use, site.parameters)
        # In the same line reading comes first, as in `rewrite(read(path), path)`.
        if path and (use.cell, use.line) <= first.get(path, (use.cell, use.line)):
            paths.add(path)
    # A wheel or requirements file that %pip installs decides which code the step imports.
    for file in install_files(pipeline, step, site.workdir):
        paths.add(file.relative_to(site.workdir).as_posix())
    return {
        path: file_content(path, workdir=site.workdir, upstream=upstream, hashes=hashes)
        for path in sorted(paths)
    }


def differences(old: Key, new: Key, *, pipeline: Pipeline) -> list[str]:
    """Describe what changed from ``old`` to ``new``, the most telling first; empty if nothing did.

    Parameters
    ----------
    pipeline
        The pipeline of ``new``, whose cells the sentences quote.
    """
    return [
        *_code(old.code, new.code, pipeline),
        *_mapping(
            old.parameters,
            new.parameters,
            "parameter {name} changed from {old} to {new}",
            gone="parameter {name} is no longer used",
            fresh="parameter {name} is now used",
        ),
        *_inputs(old.inputs, new.inputs),
        *_mapping(
            old.modules,
            new.modules,
            "local module {name} changed",
            gone="local module {name} is no longer imported",
            fresh="local module {name} is now imported",
        ),
        *_mapping(
            old.env,
            new.env,
            "environment variable {name} changed",
            gone="environment variable {name} changed",
            fresh="environment variable {name} changed",
        ),
        *_interpreter(old.interpreter, new.interpreter),
        *_mapping(
            old.group,
            new.group,
            "step {name}, with which it shares a kernel, has another result",
            gone="it no longer shares a kernel with step {name}",
            fresh="it shares a kernel with step {name}",
        ),
        *(
            [f"the notebook's folder changed from {old.folder} to {new.folder}"]
            if old.folder and new.folder and old.folder != new.folder
            else []
        ),
        *(["kfnb's cache has a new format"] if old.schema != new.schema else []),
    ]


def _code(old: Sequence[CodePart], new: Sequence[CodePart], pipeline: Pipeline) -> list[str]:
    if [p.hash for p in old] == [p.hash for p in new]:
        return []
    before = [p.hash for p in old]
    changed = []
    for part in new:
        if part.hash in before:
            # Remove it, so that of two equal cells only one counts as unchanged.
            before.remove(part.hash)
        else:
            changed.append(part.cell)
    if changed:
        first = pipeline.location(changed[0]) or "a cell"
        if len(changed) == 1:
            return [f"code changed in {first}"]
        return [f"code changed in {len(changed)} cells, the first is {first}"]
    return ["the order of cells changed" if not before else "a cell was removed"]


def _inputs(old: Mapping[str, InputPart], new: Mapping[str, InputPart]) -> list[str]:
    reasons = []
    for name, part in new.items():
        if name not in old:
            reasons.append(f"input {name} is new (from step {part.step})")
        elif old[name].hash != part.hash:
            reasons.append(f"input {name} changed (from step {part.step})")
    reasons.extend(f"input {name} is no longer used" for name in old if name not in new)
    return reasons


def _interpreter_of(step: Step, site: Site) -> Mapping[str, str]:
    """Return what executes the step: the kernel's interpreter, or an image that holds one."""
    image = site.images.get(step.name)
    if image is not None:
        # The image's name has to stand for its content: looking inside would need a pod.
        return {"path": image, "version": ""}
    return kernels.interpreter(site.kernel).plain()


def _interpreter(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    if old == new:
        return []
    before, after = (_readable(i) for i in (old, new))
    # The same path and version, but the executable has another size or time.
    if before == after:
        return ["the kernel's interpreter was reinstalled"]
    return [f"the kernel's interpreter changed from {before} to {after}"]


def _readable(interpreter: Mapping[str, str]) -> str:
    version = str(interpreter.get("version", "")).partition(" ")[0]
    return f"{interpreter.get('path', '?')} {version}".strip()


def _mapping(
    old: Mapping[str, Any], new: Mapping[str, Any], changed: str, *, gone: str, fresh: str
) -> list[str]:
    reasons = []
    for name in sorted({*old, *new}):
        if name not in new:
            reasons.append(gone.format(name=name))
        elif name not in old:
            reasons.append(fresh.format(name=name))
        elif old[name] != new[name]:
            before, after = _short(old[name]), _short(new[name])
            sentence = changed.format(name=name, old=before, new=after)
            # Where both are masked, the sentence would say nothing about them.
            reasons.append(sentence.replace(f" from {MASK} to {MASK}", ""))
    return reasons


def _short(value: Any) -> str:
    # The digest of a masked parameter tells a person nothing.
    if isinstance(value, str) and value.startswith(DIGEST):
        return MASK
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
