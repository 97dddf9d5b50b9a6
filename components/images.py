"""The image of each role, in one place; the tag is the code's version, replaced by digests at install time."""

import clsp

STEP_IMAGE = f"clsp-platform/python-step:{clsp.__version__}"
TRAINER_IMAGE = f"clsp-platform/python-trainer:{clsp.__version__}"
EMBEDDER_IMAGE = f"clsp-platform/python-embedder:{clsp.__version__}"
ANNOTATOR_IMAGE = f"clsp-platform/python-annotator:{clsp.__version__}"
