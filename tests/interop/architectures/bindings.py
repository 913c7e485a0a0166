# SPDX-License-Identifier: Apache-2.0
"""libpeft's bindings (../peft.py) as `lp`, in a process that imports Hugging Face's peft as `peft`. The folder of that
file then comes last in sys.path, where it would hide the library otherwise."""
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_spec = importlib.util.spec_from_file_location("libpeft_bindings", os.path.join(HERE, "peft.py"))
lp = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lp)
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE] + [HERE]
