"""The generators of the matrix: how each generates, compiles and runs a client.

A step that a missing tool prevents raises `NotInstalledError`; any other failure is a result of the
generator.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from codegen import npm
from codegen.paths import PORTABLE30, PORTABLE31, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
NODE = HERE / "node"
OUT = ROOT / "dist" / "portable"
CACHE = ROOT / ".cache" / "portable"
JAR_VERSION = "7.26.0"
#: Without it, openapi-generator's clients reject fields that the document does not have.
OPTIONS = "disallowAdditionalPropertiesIfNotPresent=false"
#: Seconds of one command on a busy machine.
COMMAND_TIMEOUT = 900


class StepFailedError(Exception):
    """A command failed; has the end of its output."""


class NotInstalledError(Exception):
    """A tool or a package that is needed is not installed."""


class Generator(ABC):
    """A generator and a program that uses its client.

    Attributes:
        name: the name on the command line.
        title: the name and the version in the table.
        remark: what the generated client needs or loses beyond what the matrix finds.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    remark: ClassVar[str]

    @property
    def folder(self) -> Path:
        """The folder with the generated code and the program."""
        return OUT / self.name

    def prepare(self) -> None:
        """Empty the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    @abstractmethod
    def generate(self) -> None:
        """Write the client into `folder`."""

    @abstractmethod
    def compile(self) -> None:
        """Compile the client and the program."""

    @abstractmethod
    def run(self, environment: Mapping[str, str]) -> str:
        """Run the program; return its output."""


def execute(
    *command: str | Path, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> str:
    """Run a command; return its output.

    Raises:
        NotInstalledError: there is no such program.
        StepFailedError: it failed.
    """
    words = [str(word) for word in command]
    if shutil.which(words[0]) is None:
        raise NotInstalledError(f"{words[0]} is not installed")
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT,
    )
    if done.returncode != 0:
        raise StepFailedError((done.stdout + done.stderr)[-3000:])
    return done.stdout


TSC = (
    *("--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable"),
    *("--module", "esnext", "--moduleResolution", "bundler"),
)


class TypeScript(Generator):
    """A generator of npm. tsc checks the program, esbuild bundles it."""

    program: ClassVar[str]
    #: The folder with the lock file of the generator.
    node: ClassVar[Path] = NODE

    def prepare(self) -> None:
        super().prepare()
        npm.install(self.node)
        (self.folder / "node_modules").symlink_to(self.node / "node_modules")
        (self.folder / "package.json").write_text('{"type": "module"}\n', encoding="utf-8")
        for name in ("flow.ts", self.program):
            shutil.copy(PROGRAMS / "typescript" / name, self.folder)

    def tool(self, name: str, *arguments: str | Path) -> str:
        return execute(self.folder / "node_modules" / ".bin" / name, *arguments, folder=self.folder)

    def compile(self) -> None:
        self.tool("tsc", *TSC, "--noEmit", self.program)
        bundle = ("--bundle", "--platform=node", "--format=esm", "--outfile=program.mjs")
        self.tool("esbuild", self.program, *bundle, "--log-level=error")

    def run(self, environment: Mapping[str, str]) -> str:
        return execute("node", "program.mjs", folder=self.folder, environment=environment)


class OpenAPITypeScript(TypeScript):
    """Only uses the tools of `scripts/node`, so that CI can run it."""

    node = ROOT / "scripts" / "node"
    name = "openapi-typescript"
    title = "openapi-typescript 7.13.0, openapi-fetch 0.17.0"
    program = "openapi_typescript.ts"
    remark = "Without `--default-non-nullable false`, fields with a default must be sent."

    def compile(self) -> None:
        self.tool("tsc", *TSC, "--rewriteRelativeImportExtensions", self.program)

    def run(self, environment: Mapping[str, str]) -> str:
        program = self.program.replace(".ts", ".js")
        return execute("node", program, folder=self.folder, environment=environment)

    def generate(self) -> None:
        options = ("--default-non-nullable", "false")
        self.tool("openapi-typescript", PORTABLE31, "-o", "generated/schema.d.ts", *options)


class HeyAPI(TypeScript):
    name = "hey-api"
    title = "@hey-api/openapi-ts 0.90.0"
    program = "hey_api.ts"
    remark = "Later versions need Node 22."

    def generate(self) -> None:
        arguments = ("-o", "generated", "-c", "@hey-api/client-fetch", "--no-log-file", "--silent")
        self.tool("openapi-ts", "-i", PORTABLE31, *arguments)


class Orval(TypeScript):
    name = "orval"
    title = "orval 7.13.0, client `fetch`"
    program = "orval.ts"
    remark = "The address is that of the document; the program replaces `fetch`."

    def generate(self) -> None:
        config = (
            f'module.exports = {{ tinker: {{ input: "{PORTABLE31}", output: {{ mode: "single", '
            'client: "fetch", target: "generated/tinker.ts", schemas: "generated/model" } } };\n'
        )
        (self.folder / "orval.config.cjs").write_text(config, encoding="utf-8")
        self.tool("orval", "--config", "orval.config.cjs")


@cache
def generator_jar() -> Path:
    """The program of openapi-generator, from its package on PyPI.

    Raises:
        NotInstalledError: the package could not be downloaded.
    """
    jar = CACHE / f"openapi-generator-{JAR_VERSION}.jar"
    if jar.exists():
        return jar
    CACHE.mkdir(parents=True, exist_ok=True)
    package = f"openapi-generator-cli=={JAR_VERSION}"
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", CACHE)
    try:
        execute(*pip, package)
    except StepFailedError as error:
        raise NotInstalledError(f"{package} could not be downloaded: {error}") from error
    [wheel] = CACHE.glob(f"openapi_generator_cli-{JAR_VERSION}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [member] = [name for name in archive.namelist() if name.endswith(".jar")]
        jar.write_bytes(archive.read(member))
    wheel.unlink()
    return jar


class OpenAPIGenerator(Generator):
    """A language of openapi-generator. It reads OpenAPI 3.0."""

    language: ClassVar[str]
    options: ClassVar[str] = OPTIONS

    def generate(self) -> None:
        execute(
            *("java", "-jar", generator_jar(), "generate", "-g", self.language),
            *("-i", PORTABLE30, "-o", self.folder / "client"),
            f"--additional-properties={self.options}",
        )


class Python(OpenAPIGenerator):
    name = "python"
    title = f"openapi-generator {JAR_VERSION}, python"
    language = "python"
    options = f"{OPTIONS},packageName=tinker_portable"
    remark = "Decoding needs `disallowAdditionalPropertiesIfNotPresent=false`."

    def compile(self) -> None:
        package = self.folder / "client" / "tinker_portable"
        execute(sys.executable, "-m", "compileall", "-q", package)

    def run(self, environment: Mapping[str, str]) -> str:
        path = {"PYTHONPATH": str(self.folder / "client")}
        program = PROGRAMS / "python" / "program.py"
        return execute(sys.executable, program, environment={**environment, **path})


class Go(OpenAPIGenerator):
    name = "go"
    title = f"openapi-generator {JAR_VERSION}, go"
    language = "go"
    options = f"{OPTIONS},packageName=tinker"
    remark = "gopkg.in/validator.v2 is replaced by a stub. Whole numbers beyond 2^53 lose digits."

    def compile(self) -> None:
        client = self.folder / "client"
        shutil.rmtree(client / "test", ignore_errors=True)
        shutil.copytree(PROGRAMS / "go" / "stubs", self.folder / "stubs")
        module = (
            "module example.com/tinker\n\ngo 1.19\n\nrequire gopkg.in/validator.v2 v2.0.1\n\n"
            "replace gopkg.in/validator.v2 => ../stubs/validator\n"
        )
        (client / "go.mod").write_text(module, encoding="utf-8")
        (client / "go.sum").unlink(missing_ok=True)
        (client / "program").mkdir()
        shutil.copy(PROGRAMS / "go" / "main.go", client / "program")
        execute("go", "vet", ".", folder=client, environment=self._offline)
        execute(
            "go", "build", "-o", "../program", "./program", folder=client, environment=self._offline
        )

    _offline: ClassVar[Mapping[str, str]] = {"GOFLAGS": "-mod=mod", "GOPROXY": "off"}

    def run(self, environment: Mapping[str, str]) -> str:
        return execute(self.folder / "program", environment=environment)


class Elixir(OpenAPIGenerator):
    name = "elixir"
    title = f"openapi-generator {JAR_VERSION}, elixir"
    language = "elixir"
    remark = (
        "Fields that are not set are sent as null, which servers reject: the program sets a JSON "
        "engine that leaves them out. Tesla and the `JSON` of Elixir 1.18 are replaced by stubs."
    )

    def compile(self) -> None:
        stubs = sorted((PROGRAMS / "elixir" / "stubs").glob("*.ex"))
        sources = sorted((self.folder / "client" / "lib").rglob("*.ex"))
        output = self.folder / "beam"
        output.mkdir()
        for files in (stubs, sources):
            execute("elixirc", "-pa", output, "-o", output, *files, folder=self.folder)

    def run(self, environment: Mapping[str, str]) -> str:
        program = PROGRAMS / "elixir" / "program.exs"
        return execute("elixir", "-pa", self.folder / "beam", program, environment=environment)


class Rust(OpenAPIGenerator):
    name = "rust"
    title = f"openapi-generator {JAR_VERSION}, rust"
    language = "rust"
    options = f"{OPTIONS},packageName=tinker"
    remark = "There is no program for it yet."

    def compile(self) -> None:
        try:
            execute("cargo", "check", "--quiet", folder=self.folder / "client")
        except StepFailedError as error:
            if "failed to" in str(error) and "index" in str(error):
                raise NotInstalledError("its crates could not be downloaded") from error
            raise

    def run(self, environment: Mapping[str, str]) -> str:
        raise NotInstalledError("there is no program")


ALL: tuple[type[Generator], ...] = (
    *(OpenAPITypeScript, HeyAPI, Orval),
    *(Python, Go, Elixir, Rust),
)
