"""Paths in the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPENAPI = ROOT / "openapi"
OVERLAY = OPENAPI / "overlay.yaml"
SPECIFICATION = OPENAPI / "tinker.yaml"
RELEASES = OPENAPI / "releases"
EVIDENCE = OPENAPI / "EVIDENCE.md"
CHANGELOG = OPENAPI / "CHANGELOG.md"
REVISIONS = OPENAPI / "revisions"
REVISION_LOG = OPENAPI / "REVISIONS.md"
TRAFFIC = OPENAPI / "traffic.json"
SERVER_DIFFERENCES = OPENAPI / "server_differences.yaml"
PORTABLE31 = OPENAPI / "portable" / "tinker-3.1.json"
PORTABLE30 = OPENAPI / "portable" / "tinker-3.0.json"
EXAMPLES = OPENAPI / "examples.json"
LOCK = OPENAPI / "lock.json"
GENERATOR_OPTIONS = OPENAPI / "generator.yaml"
TEMPLATES = OPENAPI / "templates"
GENERATED = ROOT / "generated"
PACKAGE_NAME = "tinker_api"
WHEEL_CACHE = ROOT / ".cache" / "wheels"
