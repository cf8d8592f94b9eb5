"""Values of all kinds that a pickle can have, and how to compare what two pickles made.

all_values() has them by name, with numpy's if it is there; random_value() and random_parts() make structures that
share parts and contain themselves. Classes are found by pickle under the name of this module.
"""
import array
import collections
import copyreg
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import ipaddress
import itertools
import operator
import pathlib
import random
import re
import types
import uuid

try:
	import numpy
except ImportError:
	numpy = None


# ---- Classes, one for each way of being pickled ----

class Plain:
	"""Its __dict__ is the state."""

	def __init__(self, **attributes):
		self.__dict__.update(attributes)


class Keyed(Plain):
	"""Has no hash before it has its state."""

	def __hash__(self):
		return hash(self.tag)

	def __eq__(self, other):
		return self is other


class Reads:
	"""Keeps what it has seen when it was made."""

	def __init__(self, source):
		self.source = source
		self.seen = sorted(source.__dict__) if hasattr(source, '__dict__') else repr(type(source))
		self.length = len(source) if isinstance(source, (list, dict)) else 0

	def __reduce__(self):
		return Reads, (self.source,)


class Slots:
	__slots__ = ('first', 'second')

	def __init__(self, first=None, second=None):
		self.first, self.second = first, second


class SlotsAndDict(Slots):
	"""Its state is a pair: the __dict__, the slots."""

	def __init__(self, first=None, second=None, **attributes):
		super().__init__(first, second)
		self.__dict__.update(attributes)


class State:
	def __init__(self, part=None):
		self.part = part

	def __getstate__(self):
		return ['state', self.part]

	def __setstate__(self, state):
		self.part = state[1]


class NewArgs(tuple):
	def __new__(cls, *items):
		return super().__new__(cls, items)

	def __getnewargs__(self):
		return tuple(self)


class NewKeywords:
	def __new__(cls, first, *, keyword):
		self = super().__new__(cls)
		self.first, self.keyword = first, keyword
		return self

	def __getnewargs_ex__(self):
		return (self.first,), {'keyword': self.keyword}


class Reduced:
	"""All that __reduce__ may return but a setter of the state."""

	def __init__(self, *arguments):
		self.arguments, self.items, self.pairs, self.state = arguments, [], {}, None

	def append(self, item):
		self.items.append(item)

	def __setitem__(self, key, value):
		self.pairs[key] = value

	def __setstate__(self, state):
		self.state = state

	def __reduce__(self):
		return Reduced, self.arguments, self.state, iter(self.items), iter(self.pairs.items())


class ByFunction:
	"""Made by a function that a call gives."""

	def __init__(self, part=None):
		self.part = part

	def __reduce__(self):
		return functools.partial(ByFunction, self.part), ()


class WithSetter:
	"""Its state is set by a function, which is called and whose result is dropped."""

	def __init__(self, part=None):
		self.part = part

	def __reduce__(self):
		return WithSetter, (), self.part, None, None, set_part


def set_part(target, part):
	target.part = part


class AddsItems(set):
	pass


class ListOfOwn(list):
	pass


class DictOfOwn(dict):
	pass


class TextOfOwn(str):
	pass


class BytesOfOwn(bytes):
	pass


class IntOfOwn(int):
	pass


class FloatOfOwn(float):
	pass


class Singleton:
	def __reduce__(self):
		return 'THE_ONE'


THE_ONE = Singleton()


class Outer:
	class Inner:
		def __init__(self, part=None):
			self.part = part

	def method(self):
		return self


class Colour(enum.Enum):
	RED = 1
	GREEN = 'green'


class Flags(enum.Flag):
	A = 1
	B = 2


class Number(enum.IntEnum):
	ONE = 1


@dataclasses.dataclass
class Data:
	text: str
	numbers: list


@dataclasses.dataclass(frozen=True)
class Frozen:
	text: str
	pair: tuple = ()


Point = collections.namedtuple('Point', 'x y')


class Fails(ValueError):
	pass


# ---- Values ----

def atoms():
	yield from (None, True, False, ..., NotImplemented)
	for bits in (0, 1, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 2032, 2040, 2047, 2048, 20000):
		for number in (2 ** bits - 1, 2 ** bits, 2 ** bits + 1):
			yield from (number, -number)
	yield from (0.0, -0.0, 1.5, -1e300, 5e-324, float('inf'), float('-inf'), 0.1)
	yield from (1j, complex(-0.0, float('inf')))
	for size in (0, 1, 2, 255, 256, 257, 65535, 65536, 70000):
		yield from ('x' * size, b'\xff\n' * (size // 2) + b'x' * (size % 2), bytearray(b'y' * size))
		yield 'é\n\\u0041€😀'[:size] * (size // 4)
	yield from ('\ud800', 'a\udcffb', '\0', '\r\n\x1a', "it's", '"', '\\', '😀' * 200, bytes(range(256)))


def containers():
	yield from ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), tuple(range(300)))
	for size in (0, 1, 2, 999, 1000, 1001, 2001):
		yield list(range(size))
		yield {number: str(number) for number in range(size)}
		yield set(range(size))
		yield frozenset(range(size))
		yield [[number] for number in range(size)]
	yield {1: 'int', 'one': 1, (1, ('two', None)): [], b'1': {}, None: None, 1.5: (), frozenset({1}): set()}
	yield {'b': 1, 'a': 2, 'c': {'z': 1, 'y': [{'x': ()}]}}
	yield [[[[[[]]]]], ((((((),),),),),), {1: {2: {3: {4: {}}}}}]
	yield functools.reduce(lambda inner, _: [inner], range(300), 'deep')
	yield functools.reduce(lambda inner, _: (inner, inner), range(150), ('wide',))
	yield functools.reduce(lambda inner, _: {'k': inner, 'l': inner}, range(150), 'wide')
	yield [[number] if number % 1024 == 0 else 1 for number in range(100000)]  # numbers far from each other
	yield ['text'] * 300 + [str(number) for number in range(600)] * 2  # more than 256 in the memo


def shared_and_cyclic():
	part = ['part']
	yield [part, part, (part, part), {1: part, 2: part}]
	text, data, large = 'shared text', b'shared bytes', 2 ** 100
	yield [text, text, data, data, large, large, bytearray(b'x'), ('t', text), {text: data, data: text}]
	buffer = bytearray(b'shared')
	yield [buffer, buffer]
	pair = (part, 'x')
	yield [pair, pair, frozenset({('x',)}), {pair[1]: pair}]
	itself = []
	itself.append(itself)
	yield itself
	itself = {}
	itself['self'] = itself
	yield itself
	itself = ([],)
	itself[0].append(itself)
	yield itself
	yield itself[0]
	for size in (2, 3, 4, 5):  # the tuple is made in its first, and in its last item
		itself = ([], *range(size - 2), {})
		itself[0].append(itself)
		yield itself
		yield [itself, itself]
		itself = (*range(size - 1), {})
		itself[-1]['self'] = itself
		yield itself
		yield itself[-1]
	itself = ('first', ['second'], [], [], {}, 'last')
	for item in itself[2:5]:
		item.append(itself) if isinstance(item, list) else item.update(a=itself, b=itself)
	yield itself
	inner = ([], 'inner')
	outer = (inner, [], 'outer')
	inner[0].append(outer)
	outer[1].extend([inner, outer])
	yield outer
	yield inner
	yield [outer, inner]
	part = Plain(name='hashed by identity')
	part.own = frozenset({part, 1, 'x'})
	yield part.own
	yield part
	part = Plain()
	part.own = {part}
	yield part.own
	yield part
	node = Plain(next=None)
	node.next = Plain(next=node, data=[node])
	yield node
	slots = Slots()
	slots.first, slots.second = slots, [slots]
	yield slots
	for kind in (Reduced, State, WithSetter, ByFunction):
		part = []
		made = kind(part)
		part.append(made)  # its argument, or its state, leads back to it
		yield made
		yield part
		yield [made, part, made]
	made = Reduced('argument')
	made.items = [made, [made]]
	made.pairs = {'made': made}
	made.state = (made,)
	yield made
	own = ListOfOwn([1])
	own.append(own)
	own.attribute = own
	yield own
	own = DictOfOwn()
	own[1] = own
	yield own
	ordered = collections.OrderedDict(a=1)
	ordered['self'] = ordered
	yield ordered
	queue = collections.deque([1, 2], 5)
	queue.append(queue)
	yield queue


def objects():
	yield from (Plain(), Plain(a=1, b=[2]), Slots(1, 'x'), SlotsAndDict(1, 2, third=3), State([1]))
	yield from (NewArgs(1, 'x', [2]), NewKeywords(1, keyword=[2]), ByFunction({'a': 1}), WithSetter({'a': [1]}))
	yield [WithSetter(1), WithSetter(2), WithSetter([3])]
	made = Reduced(1, [2], 'three')
	made.items, made.pairs, made.state = list(range(1500)), {number: [] for number in range(1500)}, {'a': 1}
	yield made
	made = Reduced()
	made.items, made.pairs = [1], {1: 1}
	yield made
	yield from (AddsItems({1, 2}), ListOfOwn([1, 2, 3]), DictOfOwn(a=1, b=2), TextOfOwn('own'), BytesOfOwn(b'own'))
	yield from (IntOfOwn(5), FloatOfOwn(1.5), THE_ONE, Outer.Inner([1]), Outer, Outer.Inner, len, datetime.datetime)
	yield from (Outer().method, [].append, 'x'.join, operator.itemgetter(1, 2), functools.partial(int, base=2))
	yield from (Colour.RED, Colour.GREEN, [Colour.RED] * 2, Flags.A | Flags.B, Number.ONE, {Colour.RED: 1})
	yield from (Data('x', [1]), Frozen('x', (1,)), {Frozen('x'): 1}, Point(1, [2]), Fails('why', 1), KeyError('k'))
	yield from (range(5), range(1, 2 ** 70, 3), slice(1, None, 'x'), type(None), type(...), int, collections.Counter('aab'))
	yield from (collections.OrderedDict([('z', 1), ('a', [2])]), collections.defaultdict(list, a=[1]))
	yield from (collections.deque([1, [2]], 5), collections.ChainMap({'a': 1}, {'b': 2}), types.SimpleNamespace(a=1))
	yield from (decimal.Decimal('1.50'), decimal.Decimal('NaN'), fractions.Fraction(1, 3), array.array('d', [1.5, 2]))
	yield from (array.array('b', b'xyz'), uuid.UUID(int=5), pathlib.PurePosixPath('/a/b'), re.compile('a+', re.I))
	yield from (ipaddress.ip_address('::1'), itertools.count(5), random.Random(5))
	zone = datetime.timezone(datetime.timedelta(hours=2), 'name')
	yield from (datetime.date(2024, 2, 29), datetime.time(1, 2, 3, 4, zone), zone, datetime.timedelta(-1, 5, 7))
	yield from (datetime.datetime(2024, 2, 29, 23, 59, 59, 999999), datetime.datetime(1, 1, 1, tzinfo=zone, fold=1))


def arrays():
	"""Arrays of numpy."""
	for code in '?bBhHiIlLqQefdgFDG':
		made = numpy.arange(6).astype(code)
		yield from (made, made[2], made.astype(made.dtype.newbyteorder('>')), made[:0])
	square = numpy.arange(12, dtype='<f4').reshape(3, 4)
	yield from (square, numpy.asfortranarray(square), square.T, square[:, ::2], square[::-1], numpy.array(5.5))
	yield from (square.astype('f2'), square.astype('>f8'), numpy.zeros((0, 3)), numpy.zeros((2, 0, 3), 'S3'))
	yield from (numpy.array(['a', 'bcd', '😀']), numpy.array([b'a', b'bcd']), numpy.array([b'xy'], 'V5'))
	yield from (numpy.array([1, 'x', None, [2]], object), numpy.array([[{}, ()], [1.5, 'y']], object))
	yield from (numpy.array(None, object), numpy.array(['2024-02-29', 'NaT'], 'M8[D]'), numpy.array([5], 'm8[us]'))
	record = numpy.dtype([('a', '<i2'), ('b', '>f4', (2,)), ('c', 'O'), ('d', [('e', 'S3')])])
	made = numpy.zeros(2, record)
	made['c'] = [[1], 'x']
	yield from (record, made, made[0], numpy.dtype({'names': ['x'], 'formats': ['i4'], 'offsets': [8], 'itemsize': 16}))
	yield from (numpy.dtype('f4'), numpy.dtype('>M8[ns]'), numpy.float32, numpy.float16(1.5), numpy.int64(-5))
	yield from (numpy.bool_(True), numpy.str_('x'), numpy.bytes_(b'x'), numpy.datetime64('2024-02-29'), numpy.complex64(1j))
	yield from (numpy.longdouble(1) / 3, numpy.random.RandomState(5), numpy.ma.array([1, 2], mask=[0, 1]))
	yield numpy.rec.array([(1, 'x')], dtype=[('a', int), ('b', 'U1')])
	yield numpy.arange(100000, dtype='f4')
	yield [square, square, square.base, {'embedding': (square, square.dtype, numpy.float32(1))}]
	made = numpy.empty(2, object)
	made[:] = made, [made]
	yield made


def all_values():
	kinds = [atoms, containers, shared_and_cyclic, objects]
	if numpy:
		kinds.append(arrays)
	for kind in kinds:
		for number, value in enumerate(kind()):
			yield f'{kind.__name__}[{number}]', value


def random_parts(chance):
	"""Values that are parts of each other, and of themselves; `chance` is a random.Random."""
	parts, open_parts, tags = [], [], itertools.count()

	def part():
		if parts and chance.random() < 0.6:
			return chance.choice(parts)
		return chance.choice((None, True, 5, -70000, 2 ** 80, 1.5, 'text', 'other', b'bytes', '', (), Colour.RED, Point))

	def hashable():
		kind = chance.choice((Plain, Keyed, None))
		return kind(tag=next(tags)) if kind else chance.choice(('key', 7, None, (1, 'x')))

	for _ in range(chance.randrange(1, 25)):
		count = chance.choice((0, 1, 1, 2, 2, 3, 4, 6))
		kind = chance.choice(('tuple', 'tuple', 'list', 'list', 'dict', 'set', 'frozenset', 'plain', 'slots', 'state',
			'reduced', 'function', 'setter', 'new', 'keywords', 'own', 'copy', 'keyed', 'reads', 'reads'))
		if kind == 'tuple':
			made = tuple(part() for _ in range(count))
		elif kind in ('list', 'own'):
			made = (list if kind == 'list' else ListOfOwn)(part() for _ in range(count))
		elif kind == 'dict':
			keyed = [item for item in parts if type(item) is Keyed]
			made = {chance.choice(('a', 'b', 3, ('c',), *keyed)): part() for _ in range(count)}
		elif kind in ('set', 'frozenset'):
			tagged = [item for item in parts if isinstance(item, Plain)]
			made = (set if kind == 'set' else frozenset)(
				[chance.choice(tagged) if tagged and chance.random() < 0.5 else hashable() for _ in range(count)])
		elif kind == 'plain':
			made = Plain(tag=next(tags), part=part())
		elif kind == 'keyed':
			made = Keyed(tag=next(tags), part=part())
		elif kind == 'reads':
			made = Reads(part())
		elif kind == 'slots':
			made = chance.choice((Slots, SlotsAndDict))(part(), part())
		elif kind == 'state':
			made = State(part())
		elif kind == 'reduced':
			made = Reduced(*(part() for _ in range(count)))
			made.items, made.pairs, made.state = [part()], {'x': part()}, part()
		elif kind == 'function':
			made = ByFunction(part())
		elif kind == 'setter':
			made = WithSetter([part()])
		elif kind == 'new':
			made = NewArgs(*(part() for _ in range(count)))
		elif kind == 'keywords':
			made = NewKeywords(part(), keyword=part())
		else:  # an equal one that is not the same
			made = chance.choice(('te' + 'xt' * count, (1, 'x'), [1], bytes(count)))
		parts.append(made)
		if type(made) in (list, dict, Plain, Keyed, ListOfOwn, Slots, Reduced):
			open_parts.append(made)

	for made in open_parts:  # cycles
		if chance.random() < 0.4:
			continue
		if isinstance(made, list):
			made.append(chance.choice(parts))
		elif isinstance(made, dict):
			made['late'] = chance.choice(parts)
		elif isinstance(made, Plain):
			made.late = chance.choice(parts)
		elif isinstance(made, Slots):
			made.first = chance.choice(parts)
		else:
			made.items.append(chance.choice(parts))
	return parts


def random_value(chance):
	parts = random_parts(chance)
	return chance.choice(parts[-4:])


# ---- Comparison ----

class Difference(Exception):
	pass


UNSHARED = (int, float, complex, bool, type(None), type(...), type(NotImplemented))


class Comparison:
	"""Walks two values at once. What is one object here must be one object there."""

	def __init__(self, are_lengths_kept):
		self.are_lengths_kept = are_lengths_kept
		self.here, self.there, self.kept = {}, {}, []

	def pair(self, a, b, path):
		"""Whether a is new. Objects are kept, so that none gets the id of another."""
		known = self.here.get(id(a)), self.there.get(id(b))
		if known == (None, None):
			self.here[id(a)], self.there[id(b)] = id(b), id(a)
			self.kept.append((a, b))
			return True
		if known != (id(b), id(a)):
			raise Difference(f'{path}: shared otherwise: {a!r:.80} {b!r:.80}')
		return False

	def sequences(self, a, b, path):
		if len(a) != len(b):
			raise Difference(f'{path}: {len(a)} and {len(b)} items')
		for number, items in enumerate(zip(a, b)):
			self.values(*items, f'{path}[{number}]')

	def values(self, a, b, path=''):
		if type(a) is not type(b):
			raise Difference(f'{path}: {type(a)} and {type(b)}')
		if a is b and isinstance(a, (type, types.FunctionType, types.BuiltinFunctionType, enum.Enum, Singleton)):
			return
		kind = type(a)
		if kind in UNSHARED:
			if a != b and a == a or kind is not int and repr(a) != repr(b):
				raise Difference(f'{path}: other numbers')
			return
		if kind in (str, bytes) and len(a) < 2 and a == b:  # CPython has one of these, most of the time
			return
		if not self.pair(a, b, path):
			return
		if kind in (str, bytes, bytearray):
			if a != b:
				raise Difference(f'{path}: {a!r:.80} and {b!r:.80}')
		elif kind in (tuple, list):
			self.sequences(a, b, path)
		elif kind is dict:
			self.sequences(list(itertools.chain(*a.items())), list(itertools.chain(*b.items())), path)
		elif kind in (set, frozenset):
			self.sequences(sorted(a, key=order), sorted(b, key=order), path)
		elif numpy and kind is numpy.ndarray:
			self.arrays(a, b, path)
		else:
			self.reduced(a, b, path)

	def arrays(self, a, b, path):
		for name in ('shape', 'strides', 'dtype'):
			if getattr(a, name) != getattr(b, name):
				raise Difference(f'{path}: {name} {getattr(a, name)} and {getattr(b, name)}')
		if a.flags.writeable != b.flags.writeable or a.dtype.str != b.dtype.str:
			raise Difference(f'{path}: flags')
		if a.dtype.hasobject:
			lists = a.tolist(), b.tolist()
			self.kept.append(lists)
			self.values(*lists, path)
		elif a.tobytes() != b.tobytes():
			raise Difference(f'{path}: numbers')

	def reduced(self, a, b, path):
		parts_a, parts_b = parts_of(a, self.are_lengths_kept), parts_of(b, self.are_lengths_kept)
		self.kept.append((parts_a, parts_b))
		self.sequences(parts_a, parts_b, f'{path}<{type(a).__name__}>')


def parts_of(value, are_lengths_kept):
	"""What pickle would write of an object, in lists."""
	reduced = copyreg.dispatch_table.get(type(value), lambda value: value.__reduce_ex__(4))(value)
	if isinstance(reduced, str):
		return [reduced]
	if isinstance(value, Reads):
		return [reduced[1], value.seen, value.length if are_lengths_kept else None]
	return [list(part) if number in (3, 4) and part is not None else part for number, part in enumerate(reduced)]


def order(value):
	return (0, value.tag) if isinstance(value, Plain) and hasattr(value, 'tag') else (1, repr(value)) \
		if not isinstance(value, (Plain, tuple, frozenset)) else (2, type(value).__name__)


def difference(a, b, are_lengths_kept=True):
	"""None if both are equal, of the same types, shared in the same way; else where they are not, in words.

	are_lengths_kept: a call that was given a list which it is part of found the same number of items. In protocol 0
	these come one by one, which is not kept.
	"""
	try:
		Comparison(are_lengths_kept).values(a, b)
	except Difference as found:
		return str(found)
	return None
