#include "backends/sqlite/write/applied.h"

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/write/transaction.h"

enum applied applied_refuse(struct cache_op *op, enum cache_status status, const char *detail)
{
	op->status = status;
	op->detail = detail;
	return APPLIED;
}

enum applied applied_fail(const struct transaction *tx, struct cache_op *op, int code)
{
	op->status = database_status(tx->db, code);
	return FAILED;
}
