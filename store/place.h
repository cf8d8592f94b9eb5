/* Backends as users name them, and how they are opened from that:
 *
 *   sqlite, memory, ...             by name: everything else is as the options say
 *   sqlite:///path, sqlite://./path, memory:///path   with that directory in place of data_dir
 *   redis://host/0, d1+https://host, ...              where the entries are
 *   plugin:/path/driver.so?settings                   which driver is loaded
 *
 * Behind the ? of a URL may stand parameters: the options of the backend, without its name in
 * front (?timeout=3 for --redis-timeout=3), which go before what the options say, and what the
 * backend reads itself (backend_ops.url_parameters). Paths and parameters may have %XX. */
#ifndef STEADYCACHE_STORE_PLACE_H
#define STEADYCACHE_STORE_PLACE_H

#include "store/backend.h"

/* A backend that can be opened. Every string and the settings in `config` are the place's own: it
 * must stay, where it is, as long as the backend is open. */
struct backend_place {
	const struct backend_ops *ops;
	struct backend_config config; /* for check_config and open of `ops` */
	bool wants_dir;               /* config.data_dir has to be there before it is opened */
	char *label;                  /* what the user wrote, without user, password, parameters */
	char *url, *dir, *parameters; /* what `config` points to; NULL: nothing of it */
	void *settings;
};

/* Reads `text`, a name or a URL. `base` has what is the same for all backends; its `url` and
 * `settings` are ignored, and its strings are borrowed. `settings_of` gives what the program's
 * options say for a table (backend_ops.options); NULL: the defaults of the table apply. False with
 * a sentence that shows no secret, and nothing to free. */
bool backend_place_read(struct backend_place *ret, const char *text,
			const struct backend_config *base,
			const void *(*settings_of)(void *user, const struct option_table *table),
			void *user, char *error, size_t error_size);

/* Whether it can be right, without touching anything; else a sentence. */
bool backend_place_check(const struct backend_place *place, char *error, size_t error_size);
/* Opens it; NULL with a sentence. To be closed before the place is freed. */
struct backend *backend_place_open(const struct backend_place *place, char *error,
				   size_t error_size);
/* Frees what is the place's own, secrets overwritten. A zeroed `place` is allowed. */
void backend_place_deinit(struct backend_place *place);

#endif
