#!/usr/bin/python3
"""str() of values as the server makes it, compared with Python's: all characters, and many numbers.

usage: test_python_text.py PICKLE_TOOL
"""
import pickle
import random
import struct
import sys

import tool

PART = 256


def texts():
	"""All characters in all ways of quoting."""
	for start in range(0, sys.maxunicode + 1, PART):
		yield ''.join(map(chr, range(start, start + PART)))
	for quotes in ("'", '"', '\'"', '"\\\'', '\\', "\\'", ''):
		yield f'a{quotes}b'


def floats(chance):
	for _ in range(100000):
		yield struct.unpack('<d', chance.randbytes(8))[0]
	for exponent in range(-1074, 1024):
		yield 2.0 ** exponent
	for exponent in range(-20, 25):
		yield from (10.0 ** exponent, -1.25 * 10.0 ** exponent, 123456789 / 10.0 ** exponent)
	for _ in range(5000):
		yield chance.randrange(10 ** chance.randrange(1, 20)) / 10 ** chance.randrange(10)
		yield struct.unpack('<d', struct.pack('<Q', chance.getrandbits(chance.randrange(1, 53))))[0]  # subnormal
	yield from (0.0, -0.0, float('inf'), float('-inf'), float('nan'))


def ints(chance):
	for bits in (7, 8, 15, 31, 32, 62, 63, 64, 65, 127, 128, 1000):
		for number in (2 ** bits - 1, 2 ** bits, 2 ** bits + 1):
			yield from (number, -number)
	for digits in (9, 10, 18, 19, 4299, 4300):
		yield from (10 ** digits - 1, 1 - 10 ** digits, 10 ** (digits - 1))
	for _ in range(300):
		yield chance.choice((-1, 1)) * chance.getrandbits(chance.randrange(1, 14000))


def values():
	chance = random.Random(17)
	yield tuple(texts())
	yield list(floats(chance))
	yield list(ints(chance))
	yield from ('', "it's", 'two\nlines', 'é€😀', 5, -2 ** 70, 1.5, True, False, None)
	for data in (bytes(range(256)), b"'", b'"', b'\'"', b'\\', b''):
		yield from (data, bytearray(data), (data, bytearray(data)))
	yield from ((), (1,), (1, 2), ('text', 3, None), (('text',), (), [()]), [], [1], [[], [[]]], {}, {1: 'a', 'b': (2,)})
	yield {('k', 1): [1.5, b'x'], None: {True: {}}}


REFUSED = [10 ** 4300, -10 ** 4300, '\ud800', {1}, frozenset(), 1j, len, int, object(), [object()]]


def main():
	mode = f'str3.{sys.version_info.minor}'
	wanted = list(values())
	faults = 0
	for value, (failed, text) in zip(wanted, tool.ask(sys.argv[1], mode, [pickle.dumps(value) for value in wanted])):
		expected = str(value).encode()
		if failed or text != expected:
			faults += 1
			at = next((i for i, pair in enumerate(zip(text, expected)) if pair[0] != pair[1]), 0)
			print(f'{failed}: from byte {at} on {text[at:at + 60]!r}\n    Python prints {expected[at:at + 60]!r}')
	for value, (failed, text) in zip(REFUSED, tool.ask(sys.argv[1], mode, [pickle.dumps(value) for value in REFUSED])):
		if not failed:
			faults += 1
			print(f'not refused: {text[:60]!r}')
	print(f'{len(wanted)} values, {faults} faults')
	return faults > 0


if __name__ == '__main__':
	sys.exit(main())
