#include "store/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/percent.h"
#include "base/words.h"
#include "store/find.h"

/* How much of a name an error shows. */
#define SHOWN_NAME_BYTES 40

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "%s", sentence);
	return false;
}

static bool refuse_for_memory(char *error, size_t error_size)
{
	return refuse(error, error_size, "out of memory");
}

/* With %XX read; NULL: one is wrong or NUL, or memory is out. */
static char *decode(struct slice text)
{
	char *ret = malloc(text.len + 1);
	size_t len = 0;

	if (ret && percent_decode(text, ret, &len) && !memchr(ret, '\0', len)) {
		ret[len] = '\0';
		return ret;
	}
	free(ret);
	return NULL;
}

/* An @ behind the first ? may end a password. */
static bool is_split_by_mistake(const char *text)
{
	return backend_scheme_len(text) > 0 && strchr(text + strcspn(text, "?"), '@');
}

/* The text for logs: what is before the last @ of the authority, and behind the ?, stays away. */
static char *make_label(const struct backend_ops *ops, const char *text)
{
	size_t scheme_len = backend_scheme_len(text);
	const char *rest = text + scheme_len;
	size_t len = scheme_len > 0 ? strcspn(rest, "?") : strlen(rest);
	const char *at = scheme_len > 0 && !ops->reads_url ? memrchr(rest, '@', len) : NULL;
	size_t skipped = at ? (size_t)(at + 1 - rest) : 0;
	char *ret = malloc(scheme_len + len + 1);

	if (ret)
		(void)snprintf(ret, scheme_len + len + 1, "%.*s%.*s", (int)scheme_len, text,
			       (int)(len - skipped), rest + skipped);
	return ret;
}

/* ---- Settings ---- */

/* A copy of what the options say, or of the defaults. */
static bool copy_settings(struct backend_place *place, const void *told, char *error,
			  size_t error_size)
{
	const struct option_table *table = place->ops->options;

	if (!table)
		return true;
	place->settings = calloc(1, table->settings_size);
	if (!place->settings)
		return refuse_for_memory(error, error_size);
	if (told)
		memcpy(place->settings, told, table->settings_size);
	for (size_t i = 0; !told && i < table->count; i++)
		if (table->rows[i].fallback &&
		    !option_set(&table->rows[i], place->settings, table->rows[i].env,
				table->rows[i].fallback, error, error_size))
			return false;
	place->config.settings = place->settings;
	return true;
}

/* The name of an option in a URL: its flag, without the name of the backend in front. */
static const char *short_name(const struct backend_ops *ops, const char *flag)
{
	size_t len = strlen(ops->name);

	return strncmp(flag, ops->name, len) == 0 && flag[len] == '-' ? flag + len + 1 : flag;
}

static const struct option *find_option(const struct backend_ops *ops, struct slice name)
{
	for (size_t i = 0; ops->options && i < ops->options->count; i++) {
		const struct option *row = &ops->options->rows[i];

		if (row->flag && slice_equal(name, slice_of(short_name(ops, row->flag))))
			return row;
	}
	return NULL;
}

/* ---- Parameters ---- */

static bool refuse_parameter(const struct backend_place *place, struct slice name, char *error,
			     size_t error_size)
{
	const struct backend_ops *ops = place->ops;
	size_t shown = name.len < SHOWN_NAME_BYTES ? name.len : SHOWN_NAME_BYTES;
	char known[300] = "";
	size_t len = 0;
	struct slice word;

	for (const char *at = ops->url_parameters;
	     at && words_next(&at, &word) && len < sizeof(known);)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%.*s", len ? ", " : "",
					(int)word.len, word.data);
	for (size_t i = 0; ops->options && i < ops->options->count; i++)
		if (ops->options->rows[i].flag && len < sizeof(known))
			len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
						len ? ", " : "",
						short_name(ops, ops->options->rows[i].flag));
	(void)snprintf(error, error_size, "%s: \"%.*s\" is no parameter of %s; it knows: %s",
		       place->label, (int)shown, name.data, ops->name, len ? known : "none");
	return false;
}

/* Puts `pair`, which the backend reads itself, behind its URL. */
static void keep_parameter(struct backend_place *place, struct slice pair)
{
	size_t len = strlen(place->url);

	/* The URL had room for all of them. */
	place->url[len] = strchr(place->url, '?') ? '&' : '?';
	memcpy(place->url + len + 1, pair.data, pair.len);
	place->url[len + 1 + pair.len] = '\0';
}

/* `value` is NUL-terminated, and the place's own. */
static bool take_option(struct backend_place *place, const struct option *option, const char *value,
			char *error, size_t error_size)
{
	char source[400];

	(void)snprintf(source, sizeof(source), "%s: %s", place->label,
		       short_name(place->ops, option->flag));
	return option_set(option, place->settings, source, value, error, error_size);
}

static bool take_parameter(struct backend_place *place, struct slice pair, char **room, char *error,
			   size_t error_size)
{
	const char *equals = pair.len > 0 ? memchr(pair.data, '=', pair.len) : NULL;
	struct slice name = {.data = pair.data,
			     .len = equals ? (size_t)(equals - pair.data) : pair.len};
	struct slice value = {.data = equals ? equals + 1 : "",
			      .len = equals ? pair.len - name.len - 1 : 0};
	const struct option *option = find_option(place->ops, name);
	size_t len = 0;

	if (!option && place->url && place->ops->url_parameters && name.len > 0 &&
	    words_hold(place->ops->url_parameters, name)) {
		keep_parameter(place, pair);
		return true;
	}
	if (!option)
		return refuse_parameter(place, name, error, error_size);
	if (!percent_decode(value, *room, &len) || memchr(*room, '\0', len)) {
		(void)snprintf(error, error_size, "%s: %s has a %% that is not one of %%XX",
			       place->label, short_name(place->ops, option->flag));
		return false;
	}
	(*room)[len] = '\0';
	if (!take_option(place, option, *room, error, error_size))
		return false;
	*room += len + 1;
	return true;
}

static bool take_parameters(struct backend_place *place, const char *query, char *error,
			    size_t error_size)
{
	/* Each value is decoded into it, with a NUL in place of its = or &. */
	char *room = place->parameters = malloc(strlen(query) + 1);

	if (!room)
		return refuse_for_memory(error, error_size);
	while (*query) {
		struct slice pair = {.data = query, .len = strcspn(query, "&")};

		if (!take_parameter(place, pair, &room, error, error_size))
			return false;
		query += pair.len + (query[pair.len] == '&');
	}
	return true;
}

/* ---- Reading ---- */

static bool take_dir(struct backend_place *place, struct slice path, char *error, size_t error_size)
{
	if (path.len == 0)
		return true;
	if (path.data[0] != '/' && path.data[0] != '.') {
		(void)snprintf(error, error_size,
			       "%s: a whole path has three slashes (%s:///path), and another one "
			       "begins with a dot (%s://./path)",
			       place->label, place->ops->name, place->ops->name);
		return false;
	}
	place->dir = decode(path);
	if (!place->dir)
		return refuse(error, error_size,
			      "the path of a URL has a % that is not one of %XX");
	place->config.data_dir = place->dir;
	place->wants_dir = true;
	return true;
}

static bool take_url(struct backend_place *place, const char *text, char *error, size_t error_size)
{
	size_t scheme_len = backend_scheme_len(text);
	size_t head_len = strcspn(text, "?");
	const char *query = text[head_len] == '?' ? text + head_len + 1 : "";

	if (place->ops->url_is_dir) {
		struct slice path = {.data = text + scheme_len, .len = head_len - scheme_len};

		return take_dir(place, path, error, error_size) &&
		       take_parameters(place, query, error, error_size);
	}
	place->url = calloc(1, strlen(text) + 1);
	if (!place->url)
		return refuse_for_memory(error, error_size);
	memcpy(place->url, text, head_len);
	place->config.url = place->url;
	if (place->ops->reads_url) {
		memcpy(place->url, text, strlen(text));
		return true;
	}
	return take_parameters(place, query, error, error_size);
}

static bool refuse_text(const char *text, char *error, size_t error_size)
{
	/* Behind it may be a password. */
	size_t len = strcspn(text, ":@?");
	const char *end = backend_scheme_len(text) > 0 ? "://" : text[len] == ':' ? ":" : "";

	(void)snprintf(error, error_size,
		       "\"%.*s%s\" names no backend; a name or a URL of one is wanted, such as "
		       "memory or sqlite:///path",
		       (int)(len < SHOWN_NAME_BYTES ? len : SHOWN_NAME_BYTES), text, end);
	return false;
}

bool backend_place_read(struct backend_place *ret, const char *text,
			const struct backend_config *base,
			const void *(*settings_of)(void *user, const struct option_table *table),
			void *user, char *error, size_t error_size)
{
	struct backend_place place = {.ops = backend_find_by_text(text), .config = *base};

	if (!place.ops)
		return refuse_text(text, error, error_size);
	if (!place.ops->reads_url && is_split_by_mistake(text))
		return refuse(error, error_size,
			      "in the URL of a backend, a ? in a password is written %3F, and an @ "
			      "behind the ? of its parameters %40");
	place.config.url = NULL;
	place.config.settings = NULL;
	place.wants_dir = place.ops->bits & BACKEND_WANTS_DIR;
	place.label = make_label(place.ops, text);
	const void *told =
		settings_of && place.ops->options ? settings_of(user, place.ops->options) : NULL;
	if ((place.label || refuse_for_memory(error, error_size)) &&
	    copy_settings(&place, told, error, error_size) &&
	    (backend_scheme_len(text) == 0 || take_url(&place, text, error, error_size))) {
		if (place.ops->variant)
			place.ops = place.ops->variant(&place.config);
		place.wants_dir |= (place.ops->bits & BACKEND_WANTS_DIR) != 0;
		*ret = place;
		return true;
	}
	backend_place_deinit(&place);
	return false;
}

bool backend_place_check(const struct backend_place *place, char *error, size_t error_size)
{
	return !place->ops->check_config ||
	       place->ops->check_config(&place->config, error, error_size);
}

struct backend *backend_place_open(const struct backend_place *place, char *error,
				   size_t error_size)
{
	return place->ops->open(&place->config, error, error_size);
}

void backend_place_deinit(struct backend_place *place)
{
	if (place->url)
		explicit_bzero(place->url, strlen(place->url));
	free(place->url);
	free(place->dir);
	free(place->parameters);
	free(place->settings);
	free(place->label);
	*place = (struct backend_place){0};
}
