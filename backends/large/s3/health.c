#include "backends/large/s3/health.h"

#include <stdlib.h>

#include "backends/large/s3/call.h"
#include "backends/large/s3/wire.h"

struct probe {
	struct s3_call call; /* first */
	enum remote_probe kind;
};

static void on_done(struct s3_call *call, const struct s3_verdict *verdict)
{
	struct probe *probe = (struct probe *)call;
	struct s3_store *store = call->store;

	(void)verdict; /* the call has told the breaker */
	remote_breaker_end_probe(&store->breaker, probe->kind, store->io.now_us);
	if (store->breaker.is_open)
		s3_timer_set(&store->io, &store->probe_timer,
			     remote_breaker_next_us(&store->breaker));
	free(probe);
}

static void start(struct s3_store *store, enum remote_probe kind)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe) {
		remote_breaker_end_probe(&store->breaker, kind, store->io.now_us);
		return;
	}
	probe->kind = kind;
	probe->call = (struct s3_call){
		.method = "GET",
		.file = -1,
		.has_xml = true,
		.is_probe = true,
		.timeout_us = kind == PROBE_QUICK
				      ? earlier_us(BREAKER_PROBE_QUICK_US, store->timeout_us)
				      : store->timeout_us,
		.done = on_done,
	};
	buffer_printf(&probe->call.query, "list-type=2&max-keys=1&prefix=");
	s3_wire_encode(&probe->call.query, store->url.prefix);
	s3_call_start(store, &probe->call);
}

static void on_timer(struct s3_timer *timer)
{
	struct s3_store *store =
		(struct s3_store *)((char *)timer - offsetof(struct s3_store, probe_timer));
	struct remote_breaker *breaker = &store->breaker;

	for (int kind = 0; kind < PROBE_KINDS; kind++)
		if (remote_breaker_take_probe(breaker, (enum remote_probe)kind, store->io.now_us))
			start(store, (enum remote_probe)kind);
	int64_t next_us = remote_breaker_next_us(breaker);
	if (next_us < INT64_MAX)
		s3_timer_set(&store->io, timer, next_us);
}

void s3_health_init(struct s3_store *store)
{
	remote_breaker_init(&store->breaker, BREAKER_THRESHOLD);
	store->probe_timer.run = on_timer;
}
