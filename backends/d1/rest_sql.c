#include "backends/d1/rest_sql.h"

#include <stdlib.h>

extern const char d1_sql_statements[], d1_sql_migrations[]; /* cmake/embed.cmake */

#define NAME_MARK      "-- name: "
#define MIGRATION_MARK "-- migration: " /* heads every file of migrations but the first */

struct lines {
	const char *at;
};

static bool next_line(struct lines *lines, struct slice *ret)
{
	size_t len = strcspn(lines->at, "\n");

	if (lines->at[len] == '\0' && len == 0)
		return false;
	*ret = (struct slice){.data = lines->at, .len = len};
	lines->at += len + (lines->at[len] == '\n');
	return true;
}

static bool is_comment(struct slice line)
{
	size_t blanks = 0;

	while (blanks < line.len && (line.data[blanks] == '\t' || line.data[blanks] == ' '))
		blanks++;
	return blanks == line.len || slice_starts_with((struct slice){.data = line.data + blanks,
								      .len = line.len - blanks},
						       SLICE("--"));
}

/* The text so far as a string of its own, less its last semicolon; and begins anew. */
static char *take_text(struct buffer *text)
{
	while (text->len > 0 && strchr(" \t\n;", text->data[text->len - 1]))
		text->len--;
	char *copy = text->failed ? NULL : strndup(text->len ? text->data : "", text->len);
	text->len = 0;
	return copy;
}

static bool read_statements(struct d1_sql *sql, struct buffer *text)
{
	struct lines lines = {.at = d1_sql_statements};
	struct slice line;

	while (next_line(&lines, &line)) {
		if (slice_starts_with(line, SLICE(NAME_MARK))) {
			size_t skip = sizeof(NAME_MARK) - 1;

			if (sql->count > 0 && !(sql->texts[sql->count - 1] = take_text(text)))
				return false;
			text->len = 0;
			if (sql->count == REST_STATEMENTS_MAX)
				return false;
			sql->names[sql->count] = strndup(line.data + skip, line.len - skip);
			if (!sql->names[sql->count++])
				return false;
		} else if (!is_comment(line)) {
			buffer_append(text, line);
			buffer_append_char(text, '\n');
		}
	}
	return sql->count > 0 && (sql->texts[sql->count - 1] = take_text(text));
}

static bool ends_statement(struct slice line, const struct buffer *text)
{
	static const char trigger[] = "CREATE TRIGGER";
	bool in_trigger = text->len >= sizeof(trigger) - 1 &&
			  memcmp(text->data, trigger, sizeof(trigger) - 1) == 0;

	if (in_trigger)
		return slice_starts_with(line, SLICE("END;"));
	return line.len > 0 && line.data[line.len - 1] == ';';
}

static bool read_migrations(struct d1_sql *sql, struct buffer *text)
{
	struct lines lines = {.at = d1_sql_migrations};
	struct slice line;

	text->len = 0;
	while (next_line(&lines, &line)) {
		if (slice_starts_with(line, SLICE(MIGRATION_MARK)) &&
		    sql->first_migration_count == 0)
			sql->first_migration_count = sql->migration_count;
		if (is_comment(line))
			continue;
		buffer_append(text, line);
		buffer_append_char(text, '\n');
		if (!ends_statement(line, text))
			continue;
		if (sql->migration_count == REST_MIGRATIONS_MAX)
			return false;
		if (!(sql->migrations[sql->migration_count++] = take_text(text)))
			return false;
	}
	return true;
}

bool d1_sql_init(struct d1_sql *sql)
{
	struct buffer text = {0};
	bool complete = read_statements(sql, &text) && read_migrations(sql, &text);

	buffer_deinit(&text);
	if (!complete)
		d1_sql_deinit(sql);
	return complete;
}

void d1_sql_deinit(struct d1_sql *sql)
{
	for (size_t i = 0; i < sql->count; i++) {
		free(sql->names[i]);
		free(sql->texts[i]);
	}
	for (size_t i = 0; i < sql->migration_count; i++)
		free(sql->migrations[i]);
	*sql = (struct d1_sql){0};
}

const char *d1_sql_find(const struct d1_sql *sql, const char *name)
{
	for (size_t i = 0; i < sql->count; i++)
		if (strcmp(sql->names[i], name) == 0)
			return sql->texts[i];
	return NULL;
}
