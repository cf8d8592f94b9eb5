#!/usr/bin/python3
"""Pickles that Python and numpy write, in readable form: what a person reads is what they hold.

usage: tests/pickle/test_view.py PICKLE_TOOL
"""

import base64
import collections
import datetime
import math
import pickle
import random
import struct
import subprocess
import sys
import unittest

try:
    import numpy
except ImportError:
    numpy = None

TOOL = sys.argv.pop() if len(sys.argv) > 1 else None
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def views(values, mode="whole"):
    """[(type, text)] of pickles."""
    frames = b"".join(struct.pack("<I", len(value)) + value for value in values)
    out = subprocess.run([TOOL, mode, "--many"], input=frames, stdout=subprocess.PIPE, check=True).stdout
    answers, at = [], 0
    while at < len(out):
        failed, length = out[at], struct.unpack_from("<I", out, at + 1)[0]
        text = out[at + 5:at + 5 + length].decode()
        at += 5 + length
        assert not failed, text
        answers.append(tuple(text.split("\n", 1)))
    assert len(answers) == len(values)
    return answers


def read(text, **names):
    """The value that Python reads from the text."""
    return eval(text, {"nan": math.nan, "inf": math.inf, "collections": collections, **names})


def of_type(value):
    module = type(value).__module__
    return type(value).__name__ if module == "builtins" else f"{module}.{type(value).__name__}"


class Python(unittest.TestCase):
    values = [
        None, True, 0, -1, 2**31, -2**63, 2**64 + 1, -10**50, 1.5, 1e300, -0.0, 5e-324, math.inf, b"", b"a'\"\n\xff",
        bytearray(b"x"), (), (1,), (1, "two", 3.0), [], [[], [[1]]], {}, {"k": {"n": [1, (2,)]}}, set(), {1}, frozenset(),
        frozenset({"x"}), ["ä€😀\n\t\x7f\u202e\ud800", "'", '"', "'\""], list(range(1000)), ["word"] * 100,
        [{"text": "a" * 100, "score": 0.1, "at": ("file", 1)}] * 3, {("k" * 50, i): ["v" * i] for i in range(50)},
        collections.OrderedDict(a=1, b=[2]), 2**14000,
    ]

    def test_the_text_is_python_of_the_value(self):
        for protocol in PROTOCOLS:
            shown = views([pickle.dumps(value, protocol) for value in self.values])
            for value, (name, text) in zip(self.values, shown):
                self.assertEqual(name, of_type(value))
                again = read(text)
                self.assertEqual((again, type(again)), (value, type(value)))
                self.assertEqual(repr(again) if value else "", repr(value) if value else "")
                self.assertTrue(all(len(line) <= 80 or " " not in line.strip() or "'" in line for line in text.split("\n")))

    def test_a_str_is_itself(self):
        texts = ["", "plain", "two\nlines\n", "'quoted' \\n", "\x1b[0m\u202e\r", "ä€😀"]
        for protocol in PROTOCOLS:
            pickles = [pickle.dumps(text, protocol) for text in texts]
            self.assertEqual([text for _, text in views(pickles)], texts)
            shown = [text for _, text in views([base64.b64encode(each) for each in pickles], "value")]
            self.assertEqual(shown[:4], texts[:4])
            self.assertEqual(shown[4:], ["\\x1b[0m\\u202e\\r", "ä€😀"])

    def test_other_objects_are_the_calls_that_make_them(self):
        values = [datetime.date(2020, 2, 29), datetime.timedelta(1, 2), collections.Counter("aab"), 1 + 2j]
        for protocol in PROTOCOLS:
            for value, (name, text) in zip(values, views([pickle.dumps(value, protocol) for value in values])):
                self.assertEqual(name, of_type(value))
                self.assertEqual(read(text.replace("__builtin__.", ""), datetime=datetime), value)


@unittest.skipIf(numpy is None, "python3-numpy is not installed")
class Numpy(unittest.TestCase):
    def shown(self, arrays, protocol=5):
        return views([pickle.dumps(array, protocol) for array in arrays])

    def digits(self, kind, numbers):
        """All of them, in as many digits as numpy needs."""
        (name, text), = self.shown([numbers])
        self.assertEqual(name, f"numpy.ndarray {numbers.dtype.name} ({len(numbers)},)")
        words = text.strip("[]\n ,").replace("\n", " ").split(", ")
        self.assertEqual(len(words), len(numbers))
        numpy.testing.assert_array_equal(numpy.array([kind(word.strip()) for word in words], numbers.dtype), numbers)
        for word, number in zip(words, numbers):
            expected = numpy.format_float_scientific(number, unique=True, trim="-", exp_digits=1)
            self.assertEqual(self.mantissa(word), self.mantissa(expected), (word, expected))

    def mantissa(self, text):
        return text.lower().split("e")[0].replace(".", "").replace("-", "").strip().strip("0") or text.strip(" -")[:1]

    def test_every_float16(self):
        numbers = numpy.arange(65536, dtype="<u2").view("<f2")
        self.digits(numpy.float16, numbers[numpy.isfinite(numbers)])

    def test_floats_of_all_sizes(self):
        random.seed(5)
        for kind, size in ((numpy.float32, 4), (numpy.float64, 8)):
            numbers = numpy.frombuffer(random.randbytes(size * 3000), kind)
            edges = numpy.array([0, 1, 0.1, 1e-5, 1e-4, 123456, 1e15, 1e16, 1e22], kind)
            tiny = numpy.arange(1, 200, dtype=f"<u{size}").view(kind)
            powers = kind(2) ** numpy.arange(-120, 120, dtype=kind)
            self.digits(kind, numpy.concatenate([numbers[numpy.isfinite(numbers)], edges, tiny, powers]))

    def test_every_simple_type_in_both_orders(self):
        random.seed(6)
        arrays = [numpy.array([False, True])]
        for order in "<>":
            for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"):
                integers = numpy.frombuffer(random.randbytes(64), "<u1").astype("i1")
                arrays.append(integers.astype(f"{order}{name}"))
            arrays.append(numpy.array(["", "a", "ä€😀", "'\n"], f"{order}U5"))
        arrays += [numpy.array([b"", b"a\0b", b"\xff"]), numpy.array([2**63, 2**64 - 1], "u8"),
                   numpy.array([-2**63, 2**63 - 1], "i8"), numpy.array([math.nan, math.inf, -math.inf])]
        for protocol in PROTOCOLS:
            for array, (name, text) in zip(arrays, self.shown(arrays, protocol)):
                shown = array.dtype.str if array.dtype.str[0] == ">" or array.dtype.kind == "U" else array.dtype.name
                shown = array.dtype.str[1:] if array.dtype.kind == "S" else shown
                self.assertEqual(name, f"numpy.ndarray {shown} ({len(array)},)")
                numpy.testing.assert_array_equal(numpy.array(read(text), array.dtype), array)

    def test_shapes(self):
        arrays = [numpy.arange(24, dtype="i4").reshape(shape) for shape in
                  ((24,), (4, 6), (2, 3, 4), (1, 24), (24, 1), (2, 1, 3, 4, 1))]
        arrays += [numpy.asfortranarray(array) for array in arrays] + [array.T for array in arrays]
        arrays += [numpy.zeros(shape) for shape in ((0,), (0, 3), (3, 0))] + [numpy.array(5.5)]
        for protocol in PROTOCOLS:
            for array, (name, text) in zip(arrays, self.shown(arrays, protocol)):
                self.assertEqual(name, f"numpy.ndarray {array.dtype.name} {array.shape}")
                again = numpy.array(read(text), array.dtype)
                numpy.testing.assert_array_equal(again.reshape(array.shape), array)

    def test_times_have_their_unit(self):
        arrays = [numpy.array(["2020-01-01", "NaT"], "M8[s]"), numpy.array([7], "m8[10ms]")]
        self.assertEqual(self.shown(arrays), [("numpy.ndarray datetime64[s] (2,)", "[1577836800, NaT]"),
                                              ("numpy.ndarray timedelta64[10ms] (1,)", "[7]")])

    def test_scalars_and_arrays_in_containers(self):
        value = {"e": numpy.array([0.1, 2], "f4"), "s": numpy.float32(0.5), "n": numpy.zeros((0, 2), "i8")}
        for protocol in PROTOCOLS:
            (_, text), = self.shown([value], protocol)
            self.assertEqual(text, "{\n    'e': array([0.1, 2.0], dtype=float32),\n    's': numpy.float32(0.5),\n"
                             "    'n': array([], shape=(0, 2), dtype=int64),\n}")
            self.assertEqual(self.shown([numpy.float64(0.1)], protocol), [("numpy.float64", "0.1")])

    def test_long_ones_have_their_ends(self):
        (_, text), = views([pickle.dumps(numpy.arange(100000))], "view")
        before, after = text.split("...")
        self.assertEqual(read(before + "]"), list(range(32)))
        self.assertEqual(read("[" + after.lstrip(",")), list(range(100000 - 32, 100000)))
        (_, text), = views([pickle.dumps(numpy.arange(100000).reshape(100, 10, 100))], "view")
        self.assertEqual(read(text)[-1][-1][-1], 99999)

    def test_what_is_no_simple_array_is_shown_by_its_calls(self):
        arrays = [numpy.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), numpy.array([1, "a"], object)]
        for protocol in PROTOCOLS:
            for _, text in self.shown(arrays, protocol):
                self.assertIn("numpy.dtype(", text)


if __name__ == "__main__":
    unittest.main()
