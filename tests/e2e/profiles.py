"""What the suites know of each dialect, by its name: see tests/conformance/profile.h."""

import json
import pathlib

PROFILES = {path.parent.name: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(pathlib.Path(__file__).resolve().parents[2].glob(
                "providers/*/conformance.json"))}
MODELS = {name: profile["model"] for name, profile in PROFILES.items()}
# The provider tells a submission from a repetition of it: sent again, it makes nothing new.
WITH_IDEMPOTENCY_KEY = {name for name, profile in PROFILES.items() if profile.get("idempotency_key")}
