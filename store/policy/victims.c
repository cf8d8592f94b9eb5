/* Finds the first of many heads whose scores all change with every moment.
 *
 * The scores of two unused entries change places at most once: when both are old, the entry of the
 * lower frequency scores less, and the moment from which it does so follows from the two
 * frequencies and accesses. So a search for the first of some heads also finds since when and until
 * when it stays the first: a kinetic tournament (Basch, Guibas, Hershberger, 1999), here of only
 * two rounds. A block of classes remembers its first head with these two moments. A search looks at
 * one head per block, and searches only the blocks of which nothing is known, or whose moment is
 * over.
 *
 * Frequency 1, at which entries begin and most end, is exempt from this: its head changes with
 * nearly every eviction, so it is simply looked at.
 *
 * A head that is added narrows the two moments, or makes the block unknown; one that is removed
 * makes the block unknown only if it was the first. Such changes are reported here only once a
 * search has been made (is_searched): a namespace that does not evict pays nothing.
 *
 * The moments are computed in floating point and moved towards each other by more than its error: a
 * block may be searched too early, but never too late. */
#include "store/policy/victims.h"

#include "base/clock.h"
#include "base/invariant.h"

/* Error of the two moments, relative and absolute, in microseconds. */
#define ERROR_PART 1e-12
#define ERROR_US   2

/* ---- Scores ---- */

static uint64_t age_us(int64_t last_access_us, int64_t now_us)
{
	return now_us > last_access_us ? (uint64_t)(now_us - last_access_us) : 0;
}

/* f / (1 s + age), cross-multiplied in 128 bits: exact. */
int victims_compare(const struct order_node *a, const struct order_node *b, int64_t now_us)
{
	unsigned __int128 left = (unsigned __int128)a->frequency *
				 ((uint64_t)US_PER_S + age_us(b->last_access_us, now_us));
	unsigned __int128 right = (unsigned __int128)b->frequency *
				  ((uint64_t)US_PER_S + age_us(a->last_access_us, now_us));

	return left < right ? -1 : left > right;
}

/* For entries of different classes: entries of one score and access have one frequency. */
static bool goes_before(const struct order_node *a, const struct order_node *b, int64_t now_us)
{
	int order = victims_compare(a, b, now_us);

	return order < 0 || (order == 0 && a->last_access_us < b->last_access_us);
}

/* ---- What is known of a block ---- */

static void forget(struct class_block *block)
{
	block->known_from_us = INT64_MAX;
	block->known_until_us = INT64_MIN;
}

static bool is_known(const struct class_block *block)
{
	return block->known_from_us < block->known_until_us;
}

/* The moment, after both accesses, from which an entry of frequency `low` scores less than one of
 * frequency `high`; *ret_error: the possible error. */
static double crossing_us(uint32_t low, int64_t low_access_us, uint32_t high,
			  int64_t high_access_us, double *ret_error)
{
	double behind = (double)(low_access_us - high_access_us);
	double after = behind * high / ((double)high - low);

	*ret_error = ERROR_US + ERROR_PART * (after < 0 ? -after : after);
	return after - (double)US_PER_S;
}

/* Narrows the two moments of a block by `entry`, of another class than the first. Times are
 * relative to the access of the first, so that little is lost to rounding. */
static void narrow(struct class_block *block, const struct order_node *node)
{
	const struct order_node *first = block->first;
	int64_t origin_us = first->last_access_us;
	double error;

	if (!is_known(block))
		return;
	INVARIANT(node->frequency != first->frequency);
	if (node->last_access_us > block->known_from_us)
		block->known_from_us = node->last_access_us;
	double from = (double)(block->known_from_us - origin_us);
	double until = (double)(block->known_until_us - origin_us);
	if (node->frequency < first->frequency) {
		double end = crossing_us(node->frequency, node->last_access_us, first->frequency,
					 origin_us, &error);

		until = end - error < until ? end - error : until;
	} else {
		double begin = crossing_us(first->frequency, origin_us, node->frequency,
					   node->last_access_us, &error);

		begin += error + (double)(node->last_access_us - origin_us);
		from = begin > from ? begin : from;
	}
	if (from >= until) {
		forget(block);
		return;
	}
	block->known_from_us = origin_us + (int64_t)from;
	if (until < (double)(block->known_until_us - origin_us))
		block->known_until_us = origin_us + (int64_t)until;
}

struct order_node *victims_first_of(const struct order_list *list)
{
	struct order_node *node = list->head;

	while (node && node->pinned)
		node = node->next;
	return node;
}

static const struct frequency_class *begin_of(const struct class_block *block)
{
	return block->classes + (block->classes->frequency == 1);
}

/* Finds the first of a block, and what to remember of it. */
static struct order_node *search(struct class_block *block, int64_t now_us)
{
	const struct frequency_class *end = block->classes + block->count;
	struct order_node *first = NULL;
	bool is_pinned = false;

	forget(block);
	for (const struct frequency_class *class = begin_of(block); class < end; class ++) {
		struct order_node *node = victims_first_of(&class->list);

		is_pinned = is_pinned || node != class->list.head;
		if (node && (!first || goes_before(node, first, now_us)))
			first = node;
	}
	if (is_pinned) /* only as long as those are pinned */
		return first;
	block->first = first;
	block->known_from_us = first ? first->last_access_us : INT64_MIN;
	block->known_until_us = INT64_MAX;
	for (const struct frequency_class *class = begin_of(block); first && class < end; class ++)
		if (class->list.head && class->list.head != first)
			narrow(block, class->list.head);
	return first;
}

/* ---- Searches ---- */

static struct order_node *first_of_all(struct classes *classes, int64_t now_us, bool trust_known)
{
	struct order_node *first = victims_first_of(&classes->blocks->classes->list);

	for (uint32_t i = 0; i < classes->block_count; i++) {
		struct class_block *block = &classes->blocks[i];
		bool holds = trust_known && now_us >= block->known_from_us &&
			     now_us < block->known_until_us;
		struct order_node *node = holds ? block->first : search(block, now_us);

		if (node && (!first || goes_before(node, first, now_us)))
			first = node;
	}
	return first;
}

struct order_node *victims_first(struct classes *classes, int64_t now_us)
{
	struct order_node *first = NULL;

	if (classes->block_count == 0)
		return first;
	classes->is_searched = true;
	first = first_of_all(classes, now_us, true);
	/* It has been pinned since it became known. */
	return first && first->pinned ? first_of_all(classes, now_us, false) : first;
}

/* ---- Changes ---- */

void victims_came(struct classes *classes, struct order_node *node)
{
	struct class_block *block = classes_block(classes, node->frequency);
	const struct order_node *first = block->first;

	if (node->frequency == 1 || !is_known(block))
		return;
	if (first && first->frequency != node->frequency)
		narrow(block, node);
	else if (first && first->last_access_us == node->last_access_us)
		block->first = node; /* in the place of its equal, or before it */
	else
		forget(block);
}

void victims_gone(struct classes *classes, const struct order_node *node)
{
	struct class_block *block = classes_block(classes, node->frequency);

	if (block->first == node)
		forget(block);
}

void victims_forget(struct classes *classes)
{
	for (uint32_t i = 0; i < classes->block_count; i++)
		forget(&classes->blocks[i]);
	classes->is_searched = false;
}
