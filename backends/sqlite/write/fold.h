/* Folding: the running transaction writes uses that wait in memory (uses.h) to the entries. It
 * remembers what it took from them, and what it added, in case it fails. */
#ifndef STEADYCACHE_SQLITE_FOLD_H
#define STEADYCACHE_SQLITE_FOLD_H

#include "backends/sqlite/write/uses.h"

struct transaction;

/* Waiting uses that are written at once: keeps the cost of folding under 2 % of a core. */
#define FOLDED_AT_ONCE 256

struct fold_list {
	struct use *uses;
	size_t count, capacity;
};

/* A zeroed one is empty and valid. */
struct folds {
	bool is_taking;         /* some are taken: uses->folds is odd */
	struct fold_list taken; /* put back if the transaction fails */
	struct fold_list given; /* taken back if it fails */
};

void fold_begin(struct folds *folds);
/* Call it before uses are taken out; the same transaction may call it again. */
void fold_take(struct transaction *tx);
/* The transaction is committed. */
void fold_end(struct transaction *tx);
/* The transaction has failed. */
void fold_undo(struct transaction *tx);
void fold_deinit(struct folds *folds);

/* Remembers a use that was taken out of the waiting ones. False: out of memory, and it waits
 * again. */
bool fold_keep_taken(struct transaction *tx, const struct use *use);
/* Remembers a use that was added to the waiting ones. */
bool fold_keep_given(struct transaction *tx, const struct use *use);
/* Writes one taken use to its entry. SQLITE_OK or an error. */
int fold_use(struct transaction *tx, const struct use *use);
/* Writes some waiting uses, at most FOLDED_AT_ONCE; *ret_more if others may still wait. */
int fold_some(struct transaction *tx, bool *ret_more);

#endif
