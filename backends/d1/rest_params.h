/* Statements of REST mode and their parameters, which are texts: ?1 is a JSON object with the
 * request (the "head"), ?2 a JSON array with the items; worker/sql/statements.sql says what they
 * hold. */
#ifndef STEADYCACHE_D1_REST_PARAMS_H
#define STEADYCACHE_D1_REST_PARAMS_H

#include "backends/d1/rest.h"

/* Appends statements to `body`, a JSON array that is open. Failures stick in the buffers. */
struct rest_writer {
	const struct d1_context *context;
	struct buffer *body;
	size_t statements;
	struct buffer head, items; /* ?1, ?2 */
};

/* {"sql":..,"params":[..]}: begin, add_param for each, end; or in one: with ?1, with ?1 and
 * `items`, with ?1 and writer->items. */
void rest_begin_statement(struct rest_writer *writer, const char *name);
void rest_add_param(struct rest_writer *writer, struct slice text);
void rest_end_statement(struct rest_writer *writer);
void rest_add_statement(struct rest_writer *writer, const char *name);
void rest_add_statement_on(struct rest_writer *writer, const char *name, struct slice items);
void rest_add_on_items(struct rest_writer *writer, const char *name);

/* ?1: begin with namespace (empty: null) and time, add members, end. */
void rest_begin_head(struct rest_writer *writer, struct slice ns);
void rest_add_member(struct rest_writer *writer, const char *name, int64_t number);
void rest_add_text_member(struct rest_writer *writer, const char *name, struct slice text);
/* The settings of a namespace where nothing was configured, and the limit of namespaces. */
void rest_add_defaults(struct rest_writer *writer, struct slice ns);
/* kind and etags; of an op of several items: none. */
void rest_add_condition(struct rest_writer *writer, const struct cache_op *op);
void rest_end_head(struct rest_writer *writer);

/* Lower-case hex. */
void rest_append_hex(struct buffer *out, struct slice bytes);
/* "32 hex digits" */
void rest_append_etag(struct buffer *out, const struct etag *etag);
/* id,"tag": where the entry of a key is, the first bits of SHA-256 over "namespace NUL key". */
void rest_append_place(struct buffer *out, struct slice ns, struct slice key);

/* UTF-8 without a NUL: D1 carries it as text. */
bool rest_is_plain(struct slice bytes);
/* A key as a statement takes it: as it is, or in hex, in `scratch`. */
struct slice rest_carry(struct buffer *scratch, struct slice key);

/* ?2 of get, exists, delete: [[id, "tag"], ...] into writer->items; tells each job its first item.
 */
void rest_write_places(struct rest_writer *writer, const struct rest_group *group);

/* ---- rest_write_set.c ---- */

/* The statements of a round of a set. */
void rest_write_set(struct rest_writer *writer, const struct rest_group *group);

#endif
