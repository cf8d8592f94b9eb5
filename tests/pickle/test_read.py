#!/usr/bin/python3
"""What the server's reader takes and refuses, judged by Python's: programs of random opcodes, pickles of every
protocol that are cut off, keys that are equal, byte strings of Python 2.

usage: test_read.py PICKLE_TOOL [PROGRAMS]
"""
import io
import pickle
import random
import sys
import warnings

import tool
import values

# One for each opcode, some with several operands. No FRAME: pickle.load and pickle.loads of one that is wrong differ.
WORDS = [
	b'N', b'\x88', b'\x89', b'I00\n', b'I01\n', b'I-5\n', b'I12345678901234567890123\n', b'L7L\n', b'L-99999999999999999999L\n',
	b'K\x01', b'K\x02', b'M\x01\x00', b'J\xff\xff\xff\xff', b'\x8a\x01\x05', b'\x8a\x00', b'\x8b\x01\x00\x00\x00\x01',
	b'F1.0\n', b'Fnan\n', b'F1e3\n', b'G?\xf0\x00\x00\x00\x00\x00\x00', b'G\x7f\xf8\x00\x00\x00\x00\x00\x00',
	b"S'ab'\n", b"S'\\x41\\n\\101\\q'\n", b'T\x02\x00\x00\x00ab', b'U\x01b', b'U\x01\xe9', b'Va\\u0041\\\\u0042\n', b'V\xe9\\U0001f600\n',
	b'X\x01\x00\x00\x00a', b'\x8c\x02\xc3\xa9', b'\x8c\x03\xed\xa0\x80', b'\x8c\x01\xe9', b'\x8d\x01' + bytes(7) + b'a',
	b'B\x01\x00\x00\x00a', b'C\x01a', b'\x8e\x01' + bytes(7) + b'a', b'\x96\x01' + bytes(7) + b'a',
	b'(', b'(', b'(', b')', b']', b']', b'}', b'}', b'\x8f', b't', b'l', b'd', b'\x85', b'\x86', b'\x87', b'\x91',
	b'a', b'e', b's', b'u', b'\x90', b'0', b'1', b'2', b'2',
	b'p3\n', b'g3\n', b'q\x01', b'h\x01', b'r\x2c\x01\x00\x00', b'j\x2c\x01\x00\x00', b'\x94', b'h\x00',
	b'cbuiltins\nset\n', b'c__builtin__\nfrozenset\n', b'c_codecs\nencode\n', b'Vlatin1\n', b'R', b'\x80\x04', b'\x80\x02',
	b'.',
]
GLOBALS = {('builtins', 'set'): set, ('builtins', 'frozenset'): frozenset, ('_codecs', 'encode'): __import__('_codecs').encode}
for module, name in list(GLOBALS):
	GLOBALS['__builtin__', name] = GLOBALS[module, name]
# Our own refusals, of what no pickler writes, and what is found out only by the call.
OURS = (b'changes a', b'changes an', b'changes None', b'changes bytes')


class Unpickler(pickle.Unpickler):
	def find_class(self, module, name):
		return GLOBALS[module, name]


def loaded(data):
	try:
		return True, Unpickler(io.BytesIO(data)).load()
	except Exception as error:
		return False, error


def is_of_call(error):
	"""Whether it is something that only a call, or an import, finds out."""
	return isinstance(error, (KeyError, LookupError)) or isinstance(error, TypeError) and 'unhashable' not in str(error)


def programs(count):
	chance = random.Random(17)
	for _ in range(count):
		yield b''.join(chance.choice(WORDS) for _ in range(chance.randint(1, 14))) + b'.'


def judge_programs(path, count):
	"""Taken and refused as Python does, and the same value."""
	inputs = list(programs(count))
	taken = 0
	for data, (failed, answer) in zip(inputs, tool.ask(path, 'write', inputs)):
		works, value = loaded(data)
		taken += works
		if works and failed and not any(word in answer for word in OURS):
			yield f'{data!r} is {value!r}, and is refused: {answer.decode()}'
		elif not works and not failed and not is_of_call(value):
			yield f'{data!r} is taken; Python: {value!r}'
		elif works and not failed:
			found = values.difference(value, loaded(answer)[1])
			if found is not None:
				yield f'{data!r}: {found}'
	if taken < count / 100:
		yield f'only {taken} of {count} programs mean something'


def judge_cuts(path):
	"""A pickle that is cut off anywhere is refused, with an offset inside."""
	inputs, names = [], []
	for name, value in values.all_values():
		for protocol in (0, 2, 5):
			try:
				data = pickle.dumps(value, protocol)
			except Exception:  # Python has none
				continue
			if len(data) > 200:
				continue
			cuts = range(len(data)) if protocol == 0 and len(data) < 60 else range(0, len(data), 5)
			for length in cuts:
				inputs.append(data[:length])
				names.append(f'{name}, protocol {protocol}, {length} of {len(data)} bytes')
	for data, name, (failed, answer) in zip(inputs, names, tool.ask(path, 'read', inputs)):
		if not failed:
			yield f'{name}: taken'
		elif int(answer.split(b':')[0]) > len(data):
			yield f'{name}: {answer.decode()}'


def key(chance, depth=0):
	kind = chance.randrange(9 if depth < 2 else 7)
	number = chance.randrange(3)
	if kind < 2:
		return number
	if kind == 2:
		return float(number)
	if kind == 3:
		return chance.choice([True, False, None, 0.5, -0.0, float('inf'), 1 << 64, float(1 << 64), -(1 << 90), float(-(1 << 90)), 10 ** 400, 1e300, int(1e300), 1e19, 10 ** 19])
	if kind == 4:
		return str(number)
	if kind == 5:
		return str(number).encode()
	if kind == 6:
		return complex if number else int
	items = [key(chance, depth + 1) for _ in range(chance.randrange(3))]
	return tuple(items) if kind == 7 else frozenset(items)


def dumped(value, protocol):
	return pickle.dumps(value, protocol)[2:-1]


def judge_equal_keys(path):
	"""str() of a dict that is written with equal keys; Python's dict has one of them."""
	chance = random.Random(5)
	inputs = []
	for _ in range(300):
		protocol = chance.randrange(2, 4)
		pairs = [(key(chance), number) for number in range(chance.randrange(2, 40))]
		plain = [(k, v) for k, v in pairs if 'class' not in repr(k) and 'frozenset' not in repr(k)]
		inputs.append(b'\x80' + bytes([protocol]) + b'}(' + b''.join(dumped(k, protocol) + dumped(v, protocol) for k, v in plain) + b'u.')
		inputs.append(b'\x80' + bytes([protocol]) + b'}(' + b''.join(dumped(k, protocol) + dumped(v, protocol) for k, v in pairs) + b'u.')
	for number, (data, (failed, answer)) in enumerate(zip(inputs, tool.ask(path, 'str', inputs))):
		expected = str(pickle.loads(data))
		if number % 2 == 0 and (failed or answer.decode() != expected):
			yield f'{data!r}: {answer.decode()} is not {expected}'
	# What str() does not print is at least counted: repeated pairs make no longer pickle.
	for data, (failed, answer) in zip(inputs, tool.ask(path, 'write', inputs)):
		if failed or len(pairs_of(answer)) != len(pickle.loads(data)):
			yield f'{data!r}: {answer!r}'


def pairs_of(data):
	"""The pairs as they are written, equal ones too."""
	made = []

	class Counting(pickle._Unpickler):
		dispatch = dict(pickle._Unpickler.dispatch)

		def load_setitems(self):
			items = self.pop_mark()
			if not isinstance(self.stack[-1], dict):
				raise AssertionError
			made.extend(zip(items[::2], items[1::2]))

		def load_setitem(self):
			value, name = self.stack.pop(), self.stack.pop()
			made.append((name, value))
		dispatch[pickle.SETITEMS[0]] = load_setitems
		dispatch[pickle.SETITEM[0]] = load_setitem
	Counting(io.BytesIO(data)).load()
	return made


def judge_python_2(path):
	"""What Python 2.7 wrote: byte strings are text if they are ASCII."""
	taken = [
		(b"(dp0\nS'a'\np1\nS'it\\'s \"\\t\\x7f'\np2\nsVk\\xe9\np3\nL5L\ns.", {'a': 'it\'s "\t\x7f', 'k\\xe9': 5}),
		(b'\x80\x02}q\x01(U\x01aq\x02]q\x03(K\x01\x8a\x01\x05eT\x03\x00\x00\x00xyzI01\nu.', {'a': [1, 5], 'xyz': True}),
		(b'\x80\x02c__builtin__\nset\nq\x01]q\x02U\x01aa\x85Rq\x03.', {'a'}),
	]
	refused = [b"S'\\xe9'\n.", b'U\x01\xe9.', b'\x80\x02T\x01\x00\x00\x00\xff.']
	for (data, value), (failed, answer) in zip(taken, tool.ask(path, 'write', [data for data, _ in taken])):
		if failed or pickle.loads(data) != value or pickle.loads(answer) != value:
			yield f'{data!r}: {answer!r}'
	for data, (failed, answer) in zip(refused, tool.ask(path, 'write', refused)):
		if not failed or b'byte string of Python 2' not in answer:
			yield f'{data!r}: {answer!r}'


def main():
	path = sys.argv[1]
	warnings.simplefilter('ignore')  # of Python about escapes in byte strings
	count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
	faults = 0
	for judged in (judge_programs(path, count), judge_cuts(path), judge_equal_keys(path), judge_python_2(path)):
		for fault in judged:
			faults += 1
			print(fault[:500])
	print(f'{faults} faults')
	return faults > 0


if __name__ == '__main__':
	sys.exit(main())
