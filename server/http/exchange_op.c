#include "server/http/exchange_op.h"

#include "handlers/flight/flight.h"
#include "server/http/exchange_state.h"
#include "server/log/metrics.h"

void exchange_op_go_on(struct exchange *exchange)
{
	if (atomic_exchange(&exchange->park, PARK_DONE) == PARK_SUSPENDED)
		MHD_resume_connection(exchange->connection);
}

/* ---- The share of a branch ---- */

/* False: the branch of the op's namespace has as many as it may. */
static bool enter_branch(struct exchange *exchange, unsigned branch)
{
	struct exchange_shared *shared = exchange->shared;

	if (branch == 0)
		return true;
	atomic_uint *ops = &shared->branch_ops[branch - 1];
	if (atomic_fetch_add(ops, 1) < shared->branch_share) {
		exchange->branch = branch;
		return true;
	}
	(void)atomic_fetch_sub(ops, 1);
	return false;
}

static void leave_branch(struct exchange *exchange)
{
	if (exchange->branch == 0)
		return;
	(void)atomic_fetch_sub(&exchange->shared->branch_ops[exchange->branch - 1], 1);
	exchange->branch = 0;
}

/* ---- The op ---- */

static void op_done(struct cache_op *op)
{
	struct exchange *exchange = op->user;

	leave_branch(exchange);
	metrics_operation(exchange->shared->metrics, op->type, op->status);
	/* Here, and not before the answer: the client of a set may be gone by then. */
	flight_op_done(exchange->shared->flight_timer.flights, op);
	exchange_op_go_on(exchange);
}

void exchange_op_park(struct exchange *exchange)
{
	(void)atomic_fetch_add(&exchange->shared->parked, 1);
	MHD_suspend_connection(exchange->connection);
	if (atomic_exchange(&exchange->park, PARK_SUSPENDED) == PARK_DONE) {
		/* The op completed in between and found nothing to resume. */
		atomic_store(&exchange->park, PARK_DONE);
		MHD_resume_connection(exchange->connection);
	}
}

static const struct cache_trace *trace_for(struct exchange *exchange, unsigned bits)
{
	if (!(bits & BACKEND_REMOTE))
		return NULL;
	(void)exchange_request_id(exchange);
	return &exchange->head.trace.sent;
}

const struct cache_trace *exchange_op_trace(struct exchange *exchange)
{
	return trace_for(exchange, exchange_traits(exchange).bits);
}

void exchange_op_end_phase(struct exchange *exchange)
{
	if (exchange->since_ns == 0)
		return;
	int64_t passed_ns = monotonic_now_ns() - exchange->since_ns;
	if (exchange->waiting)
		exchange->waited_ns += passed_ns;
	else
		exchange->backend_ns += passed_ns;
	exchange->since_ns = 0;
}

/* Such a request takes no time worth measuring besides its op, so the clock need not be read for
 * it. */
static bool is_plain(const struct exchange *exchange)
{
	const struct request *request = &exchange->request;

	return cache_op_has_items(request->op.type) && request->op.item_count == 1 &&
	       !request->visit && exchange->received_bytes <= PLAIN_BODY_BYTES;
}

void exchange_op_submit(struct exchange *exchange)
{
	struct request *request = &exchange->request;

	exchange->waiting = false;
	if (is_plain(exchange))
		exchange->is_all_backend = true;
	else
		exchange->since_ns = monotonic_now_ns();
	request->op.done = op_done;
	request->op.user = exchange;
	struct backend_traits traits = exchange_traits(exchange);
	request->op.trace = trace_for(exchange, traits.bits);
	if (enter_branch(exchange, traits.branch)) {
		backend_submit(request->context->backend, &request->op);
		return;
	}
	request->op.detail = "as many requests wait for the backend of this namespace as may: it "
			     "does not answer, or --max-connections is too low";
	request->op.retry_after_s = 1;
	cache_op_complete(&request->op, CACHE_UNAVAILABLE);
}

bool exchange_op_await(struct exchange *exchange)
{
	exchange->submitted = true;
	if (atomic_load(&exchange->park) == PARK_DONE) {
		exchange_op_end_phase(exchange);
		return true;
	}
	exchange_op_park(exchange);
	return false;
}
