#!/usr/bin/env python3
"""Tests that the gate can fail: the verdict, the file and the exit codes, without a server."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from instructions import baseline, run  # noqa: E402

HERE = {"compiler": "GCC 12.2.0", "glibc": "2.36"}


class Verdict(unittest.TestCase):
    def test_equal_figures_pass_in_silence(self):
        self.assertEqual(baseline.judge({"GET": 1000}, {"GET": 1000}), (baseline.PASSED, []))

    def test_a_baseline_that_is_6_percent_lower_fails_and_the_sentence_tells_all(self):
        code, sentences = baseline.judge({"GET": 10000, "PUT": 500}, {"GET": 10600, "PUT": 500})
        self.assertEqual(code, baseline.FAILED)
        self.assertEqual(len(sentences), 1)
        for part in ("GET", "10,000", "10,600", "+6.0 %"):
            self.assertIn(part, sentences[0])

    def test_the_limit_is_5_percent(self):
        self.assertEqual(baseline.judge({"GET": 10000}, {"GET": 10500})[0], baseline.PASSED)
        self.assertEqual(baseline.judge({"GET": 10000}, {"GET": 10501})[0], baseline.FAILED)

    def test_what_shrank_passes_with_a_hint(self):
        code, sentences = baseline.judge({"GET": 10000}, {"GET": 9400})
        self.assertEqual(code, baseline.PASSED)
        self.assertIn("-6.0 %", sentences[0])
        self.assertIn("--update", sentences[0])

    def test_one_that_grew_fails_beside_others_that_shrank(self):
        self.assertEqual(baseline.judge({"GET": 1000, "PUT": 1000}, {"GET": 100, "PUT": 1060})[0], baseline.FAILED)

    def test_a_path_without_a_figure_and_a_figure_without_a_path_fail(self):
        self.assertEqual(baseline.judge({}, {"GET": 1})[0], baseline.FAILED)
        self.assertEqual(baseline.judge({"GET": 1}, {})[0], baseline.FAILED)


class Command(unittest.TestCase):
    """Calls compare() and update() with a baseline of their own, and given figures instead of a server."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "baseline.json"
        self.output = io.StringIO()
        read, write = baseline.read, baseline.write
        for patch in (mock.patch.object(baseline, "read", lambda: read(self.file)),
                      mock.patch.object(baseline, "write", lambda kept: write(kept, self.file)),
                      contextlib.redirect_stdout(self.output), contextlib.redirect_stderr(self.output)):
            patch.__enter__()
            self.addCleanup(patch.__exit__, None, None, None)

    def compare(self, figures, here=None, gate=True):
        return run.compare(SimpleNamespace(gate=gate), here or HERE, lambda: figures)

    def test_the_gate_fails_until_the_file_is_updated(self):
        self.assertEqual(self.compare({"GET": 1000}), baseline.FAILED)  # no file
        run.update(HERE, lambda: {"GET": 1000})
        self.assertEqual(self.compare({"GET": 1000}), baseline.PASSED)
        self.assertEqual(self.compare({"GET": 1060}), baseline.FAILED)
        run.update(HERE, lambda: {"GET": 1060})
        self.assertEqual(self.compare({"GET": 1060}), baseline.PASSED)

    def test_other_versions_are_not_compared_and_the_gate_does_not_even_count(self):
        run.update(HERE, lambda: {"GET": 1000})
        other = {**HERE, "glibc": "2.41"}
        with mock.patch.object(baseline, "judge") as judge:
            code = run.compare(SimpleNamespace(gate=True), other, self.fail)
            self.assertEqual(code, baseline.NOT_COMPARED)
            self.assertEqual(self.compare({"GET": 9000}, other, gate=False), baseline.NOT_COMPARED)
            judge.assert_not_called()
        self.assertIn("NOT COMPARED: glibc is 2.41 here and 2.36 in", self.output.getvalue())

    def test_a_library_that_was_not_recorded_is_not_compared(self):
        run.update(HERE, lambda: {"GET": 1000})
        self.assertEqual(self.compare({"GET": 1000}, {**HERE, "zlib": "1.3"}), baseline.NOT_COMPARED)

    def test_the_file_has_a_line_for_each_path(self):
        run.update(HERE, lambda: {"GET": 1000, "PUT": 2000})
        lines = self.file.read_text(encoding="utf-8").splitlines()
        self.assertIn('\t\t"GET": 1000,', lines)
        self.assertIn('\t\t"PUT": 2000', lines)


if __name__ == "__main__":
    unittest.main()
