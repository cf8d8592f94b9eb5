/* The protocols of the fake upstream (fake_upstream.h), with three dialects: the smallest that a
 * backend can pass to the engine.
 *
 * An operation is written as lines, one for each item ("get NS KEY ", "set NS KEY VALUE", "delete
 * NS KEY ", "exists NS KEY "; "clear NS  ", "scan NS  ", "check   "; "gone" if an op no longer
 * exists), and is answered by a line for each ("ok", "ok VALUE", "no"). */
#ifndef STEADYCACHE_TEST_FAKE_PROTOCOL_H
#define STEADYCACHE_TEST_FAKE_PROTOCOL_H

#include "backends/remote/protocol.h"

enum fake_kind {
	FAKE_LINES, /* operations share requests; POST /new, or /old if the upstream lacks that */
	FAKE_PARTS, /* each item is its own request (PUT or GET), and signed */
};

/* By kind. `user` of their context is the fake upstream. */
extern const struct remote_protocol fake_protocols[];

/* The next line of *at, without its end; false if there are no more. */
bool fake_protocol_next_line(const char **at, char *line, size_t size);

#endif
