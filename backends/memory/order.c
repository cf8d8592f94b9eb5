/* Exact eviction orders with constant work per use.
 *
 * FIFO and LRU are one list each: new entries go to its tail, a use moves an LRU entry to the tail,
 * the head is the victim.
 *
 * Frecency, frequency / (1 + seconds since the last access), changes for every entry with every
 * second that passes, so no list or heap over all entries can hold its order. But within one
 * frequency the entry that was not used for the longest time always scores lowest. So there is one
 * list for each frequency, in order of the last access, and the victim is the best of their heads.
 * A use moves an entry to the tail of the next list.
 *
 * There are few distinct frequencies (D of them need a sum of D^2 / 2 uses), and few of their heads
 * are looked at: the classes are sorted, so frequency f and all behind it score at least
 * f / (1 + age of the oldest access), and the search ends where that is more than the best so far.
 *
 * The classes are kept, as counts only, under every policy: they know the highest frequency
 * exactly, which statistics want.
 *
 * Entries used in one microsecond are ordered by their creation (place).
 *
 * An entry that comes with a history, from an import, may belong anywhere in its list. Such ones go
 * to the tail, and the lists are sorted before the next victim is looked for: once for all that
 * came in between. */
#include "backends/memory/order.h"

#include <stdlib.h>

#define CLASSES_MIN 4

/* How far `place` looks for the right place among the uses of one microsecond. A clock that stands
 * still must not make a use cost n steps. */
#define TIES_MAX 64

void order_init(struct order *order, enum eviction_policy policy)
{
	*order = (struct order){.policy = policy, .oldest_access_us = INT64_MAX};
}

void order_deinit(struct order *order)
{
	free(order->classes);
	order->classes = NULL;
}

bool order_prepare(struct order *order)
{
	if (order->classes)
		return true;
	order->classes = calloc(CLASSES_MIN, sizeof(*order->classes));
	if (!order->classes)
		return false;
	order->class_capacity = CLASSES_MIN;
	order->class_count = 1;
	order->classes[0].frequency = 1;
	return true;
}

/* ---- Lists ---- */

/* Behind all that were used earlier, and those used at the same time but created earlier. */
static void place(struct order_list *list, struct entry *entry)
{
	struct entry *before = list->tail;

	for (int i = 0; i < TIES_MAX && before && before->stamp > entry->stamp &&
			before->last_access_us == entry->last_access_us;
	     i++)
		before = before->prev;
	entry->prev = before;
	entry->next = before ? before->next : list->head;
	*(entry->next ? &entry->next->prev : &list->tail) = entry;
	*(before ? &before->next : &list->head) = entry;
}

static void unlink_entry(struct order_list *list, struct entry *entry)
{
	*(entry->prev ? &entry->prev->next : &list->head) = entry->next;
	*(entry->next ? &entry->next->prev : &list->tail) = entry->prev;
}

static struct order_list *list_for(struct order *order, struct frequency_class *class)
{
	return order->policy == EVICT_FRECENCY ? &class->list : &order->list;
}

/* ---- Frequency classes ---- */

/* Index of the first class of at least `frequency`; class_count where there is none. */
static size_t class_index(const struct order *order, uint32_t frequency)
{
	size_t low = 0;
	size_t high = order->class_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order->classes[middle].frequency < frequency)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct frequency_class *class_of(struct order *order, const struct entry *entry)
{
	return &order->classes[class_index(order, entry->frequency)];
}

/* Room for one more class: drops empty ones, then grows. */
static bool make_class_room(struct order *order)
{
	size_t kept = 1;

	if (order->class_count < order->class_capacity)
		return true;
	for (size_t i = 1; i < order->class_count; i++)
		if (order->classes[i].entry_count > 0)
			order->classes[kept++] = order->classes[i];
	order->class_count = kept;
	/* Well under the capacity, else the next call would come too soon. */
	if (kept <= order->class_capacity / 4 * 3)
		return true;

	struct frequency_class *classes =
		realloc(order->classes, order->class_capacity * 2 * sizeof(*classes));
	if (!classes)
		return order->class_count < order->class_capacity;
	order->classes = classes;
	order->class_capacity *= 2;
	return true;
}

/* The class of `frequency`, made where there is none. NULL: out of memory. */
static struct frequency_class *make_class(struct order *order, uint32_t frequency)
{
	size_t index = class_index(order, frequency);

	if (index < order->class_count && order->classes[index].frequency == frequency)
		return &order->classes[index];
	if (!make_class_room(order))
		return NULL;
	index = class_index(order, frequency);
	memmove(&order->classes[index + 1], &order->classes[index],
		(order->class_count - index) * sizeof(*order->classes));
	order->classes[index] = (struct frequency_class){.frequency = frequency};
	order->class_count++;
	return &order->classes[index];
}

/* True where the entry is alone with its frequency and nobody has the next one: then its class may
 * simply become the next, which spares hot entries nearly all the work. */
static bool may_raise_class(const struct order *order, const struct frequency_class *class)
{
	const struct frequency_class *end = order->classes + order->class_count;

	return class->entry_count == 1 && class != order->classes &&
	       (class + 1 == end || class[1].frequency != class->frequency + 1);
}

/* ---- Changes ---- */

static bool sorts_before(enum eviction_policy policy, const struct entry *a, const struct entry *b)
{
	bool by_access = policy == EVICT_FRECENCY || policy == EVICT_LRU;

	if (by_access && a->last_access_us != b->last_access_us)
		return a->last_access_us < b->last_access_us;
	return a->stamp < b->stamp;
}

void order_add(struct order *order, struct entry *entry)
{
	struct frequency_class *class = class_of(order, entry);

	class->entry_count++;
	order->frequency_sum += entry->frequency;
	if (entry->last_access_us < order->oldest_access_us)
		order->oldest_access_us = entry->last_access_us;
	place(list_for(order, class), entry);
}

void order_restore(struct order *order, struct entry *entry)
{
	struct order_list *list;

	if (!make_class(order, entry->frequency))
		entry->frequency = 1;
	list = list_for(order, class_of(order, entry));
	if (list->tail && sorts_before(order->policy, entry, list->tail))
		order->unsorted = true;
	order_add(order, entry);
}

void order_remove(struct order *order, struct entry *entry)
{
	struct frequency_class *class = class_of(order, entry);

	unlink_entry(list_for(order, class), entry);
	class->entry_count--;
	order->frequency_sum -= entry->frequency;
	while (order->class_count > 1 && order->classes[order->class_count - 1].entry_count == 0)
		order->class_count--;
}

/* Frequency + 1, where it can be counted. The lists are left to the caller. */
static void raise_frequency(struct order *order, struct entry *entry)
{
	struct frequency_class *class = class_of(order, entry);

	if (entry->frequency == UINT32_MAX)
		return;
	if (may_raise_class(order, class)) {
		class->frequency++;
	} else {
		struct frequency_class *next = make_class(order, entry->frequency + 1);

		if (!next)
			return;
		next->entry_count++;
		class_of(order, entry)->entry_count--;
	}
	entry->frequency++;
	order->frequency_sum++;
}

void order_use(struct order *order, struct entry *entry, int64_t now_us)
{
	bool moves = order->policy == EVICT_FRECENCY || order->policy == EVICT_LRU;

	if (moves)
		unlink_entry(list_for(order, class_of(order, entry)), entry);
	raise_frequency(order, entry);
	entry->last_access_us = now_us;
	if (now_us < order->oldest_access_us)
		order->oldest_access_us = now_us;
	if (moves)
		place(list_for(order, class_of(order, entry)), entry);
}

void order_swap(struct order *order, struct entry *entry, struct entry *fresh)
{
	struct order_list *list = list_for(order, class_of(order, entry));

	*(entry->prev ? &entry->prev->next : &list->head) = fresh;
	*(entry->next ? &entry->next->prev : &list->tail) = fresh;
}

/* ---- Another policy ---- */

static struct entry *merge(enum eviction_policy policy, struct entry *a, struct entry *b)
{
	struct entry *head = NULL;
	struct entry **end = &head;

	while (a && b) {
		struct entry **first = sorts_before(policy, b, a) ? &b : &a;

		*end = *first;
		*first = (*first)->next;
		end = &(*end)->next;
	}
	*end = a ? a : b;
	return head;
}

/* Merge sort of a list linked by `next`: runs[i] holds 2^i entries, as the digits of a counter. */
static struct entry *sort(enum eviction_policy policy, struct entry *entry)
{
	struct entry *runs[48] = {0};
	struct entry *sorted = NULL;

	while (entry) {
		struct entry *run = entry;
		size_t i = 0;

		entry = entry->next;
		run->next = NULL;
		for (; runs[i]; i++) {
			run = merge(policy, runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (runs[i])
			sorted = merge(policy, runs[i], sorted);
	return sorted;
}

/* All entries in one list linked by `next`; the lists are empty then. */
static struct entry *take_all(struct order *order)
{
	struct entry *all = order->list.head;

	order->list = (struct order_list){0};
	for (size_t i = 0; i < order->class_count; i++) {
		struct order_list *list = &order->classes[i].list;

		if (list->tail) {
			list->tail->next = all;
			all = list->head;
		}
		*list = (struct order_list){0};
	}
	return all;
}

/* Threads all entries anew, by `policy`. */
static void sort_all(struct order *order, enum eviction_policy policy)
{
	struct entry *entry = sort(policy, take_all(order));

	order->policy = policy;
	order->unsorted = false;
	while (entry) {
		struct entry *next = entry->next;

		place(list_for(order, class_of(order, entry)), entry);
		entry = next;
	}
}

void order_set_policy(struct order *order, enum eviction_policy policy)
{
	if (order->policy != policy)
		sort_all(order, policy);
}

/* ---- Victims ---- */

static uint64_t age_us(int64_t last_access_us, int64_t now_us)
{
	return now_us > last_access_us ? (uint64_t)(now_us - last_access_us) : 0;
}

/* a / (1 s + age_a) < b / (1 s + age_b), exactly: cross-multiplied in 128 bits. */
static bool scores_below(uint32_t a, uint64_t age_a_us, uint32_t b, uint64_t age_b_us)
{
	return (unsigned __int128)a * ((uint64_t)US_PER_S + age_b_us) <
	       (unsigned __int128)b * ((uint64_t)US_PER_S + age_a_us);
}

bool order_precedes(enum eviction_policy policy, const struct entry *a, const struct entry *b,
		    int64_t now_us)
{
	if (policy == EVICT_FRECENCY) {
		uint64_t age_a_us = age_us(a->last_access_us, now_us);
		uint64_t age_b_us = age_us(b->last_access_us, now_us);

		if (scores_below(a->frequency, age_a_us, b->frequency, age_b_us))
			return true;
		if (scores_below(b->frequency, age_b_us, a->frequency, age_a_us))
			return false;
	}
	return sorts_before(policy, a, b);
}

static struct entry *first_unpinned(const struct order_list *list)
{
	struct entry *entry = list->head;

	while (entry && entry->pinned)
		entry = entry->next;
	return entry;
}

static struct entry *frecency_candidate(struct order *order, int64_t now_us)
{
	uint64_t oldest_age_us = age_us(order->oldest_access_us, now_us);
	int64_t oldest_seen_us = INT64_MAX;
	struct entry *best = NULL;

	for (size_t i = 0; i < order->class_count; i++) {
		struct frequency_class *class = &order->classes[i];

		if (best && scores_below(best->frequency, age_us(best->last_access_us, now_us),
					 class->frequency, oldest_age_us))
			return best;
		if (class->list.head && class->list.head->last_access_us < oldest_seen_us)
			oldest_seen_us = class->list.head->last_access_us;
		struct entry *entry = first_unpinned(&class->list);
		if (entry && (!best || order_precedes(EVICT_FRECENCY, entry, best, now_us)))
			best = entry;
	}
	/* Every head was looked at: now the bound is known anew, and the next search is short. */
	order->oldest_access_us = oldest_seen_us;
	return best;
}

struct entry *order_candidate(struct order *order, int64_t now_us)
{
	if (order->unsorted)
		sort_all(order, order->policy);
	if (order->policy == EVICT_FRECENCY)
		return frecency_candidate(order, now_us);
	return first_unpinned(&order->list);
}

uint32_t order_max_frequency(const struct order *order)
{
	if (order->class_count == 0)
		return 0;

	/* Empty classes at the end are dropped as they become empty; the first is not. */
	const struct frequency_class *last = &order->classes[order->class_count - 1];
	return last->entry_count > 0 ? last->frequency : 0;
}
