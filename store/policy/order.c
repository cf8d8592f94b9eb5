/* Exact eviction orders with constant work per use.
 *
 * FIFO and LRU are one list each: new entries go to its tail, a use moves an LRU entry to the tail,
 * the head is the victim.
 *
 * Frecency, frequency / (1 + seconds since the last access), changes for every entry with every
 * second, so no list or heap over all entries can maintain its order. But within one frequency the
 * entry that has been unused the longest always has the lowest score. So there is one list for each
 * frequency, in order of the last access, and the victim is the best of their heads (victims.c). A
 * use moves an entry to the tail of the next list.
 *
 * The classes are kept, as counts only, under every policy: they know the highest frequency
 * exactly, which statistics need.
 *
 * Entries used in one microsecond are ordered by their creation (place).
 *
 * An entry with a history, from an import, may belong anywhere in its list. Such entries go to the
 * tail, and the lists are sorted before the next victim is searched: once for all entries that were
 * added in between. */
#include "store/policy/order.h"

#include "base/invariant.h"
#include "store/policy/victims.h"

/* How far `place` looks for the right position among the uses of one microsecond. A clock that
 * stands still must not make a use cost n steps. */
#define TIES_MAX 64

void order_init(struct order *order, enum eviction_policy policy)
{
	*order = (struct order){.policy = policy};
}

void order_deinit(struct order *order)
{
	classes_deinit(&order->classes);
}

bool order_prepare(struct order *order)
{
	return classes_prepare(&order->classes);
}

/* ---- Lists ---- */

/* After all entries that were used earlier, and those used at the same time but created earlier. */
static void place(struct order_list *list, struct order_node *node)
{
	struct order_node *before = list->tail;

	for (int i = 0; i < TIES_MAX && before && before->stamp > node->stamp &&
			before->last_access_us == node->last_access_us;
	     i++)
		before = before->prev;
	node->prev = before;
	node->next = before ? before->next : list->head;
	*(node->next ? &node->next->prev : &list->tail) = node;
	*(before ? &before->next : &list->head) = node;
}

static struct order_list *list_for(struct order *order, struct frequency_class *class)
{
	return order->policy == EVICT_FRECENCY ? &class->list : &order->list;
}

/* ---- Frequency classes ---- */

static struct frequency_class *class_of(const struct order *order, const struct order_node *node)
{
	return classes_find(&order->classes, node->frequency);
}

/* ---- Places ---- */

static void link_node(struct order *order, struct order_node *node)
{
	place(list_for(order, class_of(order, node)), node);
	if (order->classes.is_searched && !node->prev)
		victims_came(&order->classes, node);
}

static void unlink_node(struct order *order, struct order_node *node)
{
	struct order_list *list = list_for(order, class_of(order, node));

	INVARIANT((node->prev ? node->prev->next : list->head) == node);
	INVARIANT((node->next ? node->next->prev : list->tail) == node);
	*(node->prev ? &node->prev->next : &list->head) = node->next;
	*(node->next ? &node->next->prev : &list->tail) = node->prev;
	if (!order->classes.is_searched || node->prev)
		return;
	victims_gone(&order->classes, node);
	/* If the clock was set back it may have been used earlier than the one that left. */
	if (list->head)
		victims_came(&order->classes, list->head);
}

/* ---- Changes ---- */

static bool sorts_before(enum eviction_policy policy, const struct order_node *a,
			 const struct order_node *b)
{
	bool by_access = policy == EVICT_FRECENCY || policy == EVICT_LRU;

	if (by_access && a->last_access_us != b->last_access_us)
		return a->last_access_us < b->last_access_us;
	return a->stamp < b->stamp;
}

void order_add(struct order *order, struct order_node *node)
{
	class_of(order, node)->entry_count++;
	order->frequency_sum += node->frequency;
	link_node(order, node);
}

void order_restore(struct order *order, struct order_node *node)
{
	struct order_list *list;

	if (!classes_make(&order->classes, node->frequency))
		node->frequency = 1;
	list = list_for(order, class_of(order, node));
	if (list->tail && sorts_before(order->policy, node, list->tail))
		order->unsorted = true;
	order_add(order, node);
}

void order_remove(struct order *order, struct order_node *node)
{
	struct frequency_class *class = class_of(order, node);

	INVARIANT(class->entry_count > 0 && order->frequency_sum >= node->frequency);
	unlink_node(order, node);
	class->entry_count--;
	order->frequency_sum -= node->frequency;
	if (class->entry_count == 0)
		classes_trim(&order->classes);
}

/* Frequency + 1, if it can be counted. The lists are left to the caller. */
static void raise_frequency(struct order *order, struct order_node *node)
{
	struct frequency_class *class = class_of(order, node);

	if (node->frequency == UINT32_MAX)
		return;
	/* If the entry is the only one of its frequency and the next frequency has none, its class
	 * simply becomes the next, which saves hot entries nearly all the work. */
	if (class->entry_count > 1 || !classes_raise(&order->classes, class)) {
		struct frequency_class *next = classes_make(&order->classes, node->frequency + 1);

		if (!next)
			return;
		next->entry_count++;
		class_of(order, node)->entry_count--;
	}
	node->frequency++;
	order->frequency_sum++;
}

void order_use(struct order *order, struct order_node *node, int64_t now_us)
{
	bool moves = order->policy == EVICT_FRECENCY || order->policy == EVICT_LRU;

	if (moves)
		unlink_node(order, node);
	raise_frequency(order, node);
	node->last_access_us = now_us;
	if (moves)
		link_node(order, node);
}

void order_swap(struct order *order, struct order_node *node, struct order_node *fresh)
{
	struct order_list *list = list_for(order, class_of(order, node));

	fresh->prev = node->prev;
	fresh->next = node->next;
	fresh->last_access_us = node->last_access_us;
	fresh->stamp = node->stamp;
	fresh->frequency = node->frequency;
	*(fresh->prev ? &fresh->prev->next : &list->head) = fresh;
	*(fresh->next ? &fresh->next->prev : &list->tail) = fresh;
	if (order->classes.is_searched && !fresh->prev)
		victims_came(&order->classes, fresh);
}

/* ---- Another policy ---- */

static struct order_node *merge(enum eviction_policy policy, struct order_node *a,
				struct order_node *b)
{
	struct order_node *head = NULL;
	struct order_node **end = &head;

	while (a && b) {
		struct order_node **first = sorts_before(policy, b, a) ? &b : &a;

		*end = *first;
		*first = (*first)->next;
		end = &(*end)->next;
	}
	*end = a ? a : b;
	return head;
}

/* Merge sort of a list linked by `next`: runs[i] has 2^i entries, like the digits of a counter. */
static struct order_node *sort(enum eviction_policy policy, struct order_node *node)
{
	struct order_node *runs[48] = {0};
	struct order_node *sorted = NULL;

	while (node) {
		struct order_node *run = node;
		size_t i = 0;

		node = node->next;
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

/* Puts the entries of `list` before `all`, linked by `next`; `list` is then empty. */
static struct order_node *take_list(struct order_list *list, struct order_node *all)
{
	if (list->tail) {
		list->tail->next = all;
		all = list->head;
	}
	*list = (struct order_list){0};
	return all;
}

/* Returns all entries in one list linked by `next`; the lists are then empty. */
static struct order_node *take_all(struct order *order)
{
	struct order_node *all = take_list(&order->list, NULL);

	for (uint32_t i = 0; i < order->classes.block_count; i++)
		for (uint32_t j = 0; j < order->classes.blocks[i].count; j++)
			all = take_list(&order->classes.blocks[i].classes[j].list, all);
	return all;
}

/* Re-sorts all entries for `policy`. */
static void sort_all(struct order *order, enum eviction_policy policy)
{
	struct order_node *node = sort(policy, take_all(order));

	order->policy = policy;
	order->unsorted = false;
	victims_forget(&order->classes);
	while (node) {
		struct order_node *next = node->next;

		place(list_for(order, class_of(order, node)), node);
		node = next;
	}
}

void order_set_policy(struct order *order, enum eviction_policy policy)
{
	if (order->policy != policy)
		sort_all(order, policy);
}

/* ---- Victims ---- */

bool order_precedes(enum eviction_policy policy, const struct order_node *a,
		    const struct order_node *b, int64_t now_us)
{
	int scores = policy == EVICT_FRECENCY ? victims_compare(a, b, now_us) : 0;

	return scores < 0 || (scores == 0 && sorts_before(policy, a, b));
}

struct order_node *order_candidate(struct order *order, int64_t now_us)
{
	if (order->unsorted)
		sort_all(order, order->policy);
	if (order->policy == EVICT_FRECENCY)
		return victims_first(&order->classes, now_us);
	return victims_first_of(&order->list);
}

uint32_t order_max_frequency(const struct order *order)
{
	/* Empty classes at the end are dropped when they become empty, except the first. */
	const struct frequency_class *last = classes_last(&order->classes);

	return last && last->entry_count > 0 ? last->frequency : 0;
}
