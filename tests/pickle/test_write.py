#!/usr/bin/python3
"""Pickles that the server writes, judged by Python: every value is equal, of the same type, shared and cyclic in
the same way, if it was read from a pickle of any protocol, made by Python's pickler in C or that in Python.

usage: test_write.py PICKLE_TOOL [RANDOM_STRUCTURES]
"""
import pickle
import random
import sys

import tool
import values

PICKLERS = {'C': pickle.dumps, 'Python': pickle._dumps}


def dumped(value, protocol, pickler):
	"""None: Python has no pickle of it, or makes nothing of that."""
	try:
		data = PICKLERS[pickler](value, protocol)
		pickle.loads(data)
		return data
	except Exception:  # whatever a value raises
		return None


def pickles(structures):
	for name, value in values.all_values():
		made = {}
		for protocol in range(6):
			for pickler in PICKLERS:
				data = dumped(value, protocol, pickler)
				if data is not None and data not in made:
					made[data] = f'{name}, protocol {protocol}, {pickler}'
		yield from made.items()
	for seed in range(structures):
		chance = random.Random(seed)
		data = dumped(values.random_value(chance), chance.randrange(6), chance.choice(list(PICKLERS)))
		if data is not None:
			yield data, f'structure {seed}'


def lists_of_parts(count):
	for seed in range(count):
		chance = random.Random(-1 - seed)
		data = dumped(values.random_parts(chance), chance.randrange(6), chance.choice(list(PICKLERS)))
		if data is not None:
			yield data, f'parts {seed}'


def cut(answer):
	"""The pickles of parts."""
	at = 0
	while at < len(answer):
		size = int.from_bytes(answer[at:at + 4], 'little')
		yield answer[at + 4:at + 4 + size]
		at += 4 + size


def faults_of_parts(tool_path, count):
	"""Items of a list, each written by itself, as an import does with the entries of a cache."""
	inputs = list(lists_of_parts(count))
	for (data, name), (failed, answer) in zip(inputs, tool.ask(tool_path, 'parts', [data for data, _ in inputs])):
		parts = [] if failed else list(cut(answer))
		expected = pickle.loads(data)
		if len(parts) != len(expected):
			yield f'{name}: {answer[:200]!r}'
		for number, (item, part) in enumerate(zip(expected, parts)):
			try:
				found = values.difference(item, pickle.loads(part), data[0] == 0x80)
			except Exception as error:  # of pickle.loads, or of the value
				found = repr(error)
			if found is not None:
				yield f'{name}[{number}]: {found}\n    read    {data[:200]!r}\n    written {part[:200]!r}'


def fault(number, data, failed, answer):
	if failed:
		return answer.decode(errors='replace')
	if answer[0] != 0x80 or answer[1] not in (2, 4, 5):
		return f'begins with {answer[:2]}'
	try:
		found = values.difference(pickle.loads(data), pickle.loads(answer), data[0] == 0x80)
		if found is None and number % 7 == 0 and len(answer) < 10000:
			found = values.difference(pickle.loads(data), pickle._loads(answer), data[0] == 0x80)
		return found
	except Exception as error:  # of pickle.loads, or of the value
		return repr(error)


def main():
	sys.setrecursionlimit(3000)  # for Python's own picklers
	if values.numpy is None:
		print('without python3-numpy: its arrays are left out')
	structures = int(sys.argv[2]) if len(sys.argv) > 2 else 900
	inputs = list(pickles(structures))
	answers = tool.ask(sys.argv[1], 'write', [data for data, _ in inputs])
	faults = 0
	for number, ((data, name), (failed, answer)) in enumerate(zip(inputs, answers)):
		found = fault(number, data, failed, answer)
		if found is not None:
			faults += 1
			print(f'{name}: {found}\n    read    {data[:200]!r}\n    written {answer[:200]!r}')
	for found in faults_of_parts(sys.argv[1], structures // 3):
		faults += 1
		print(found)
	print(f'{len(inputs)} pickles, {faults} faults')
	return faults > 0


if __name__ == '__main__':
	sys.exit(main())
