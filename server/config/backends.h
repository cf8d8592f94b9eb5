/* The backends that options choose: by the text of --backend, or by any other text. */
#ifndef STEADYCACHE_SERVER_BACKENDS_H
#define STEADYCACHE_SERVER_BACKENDS_H

#include "server/config/options.h"
#include "store/place.h"

/* What is the same for all backends that the options choose; they must outlive these. Nobody
 * listens to notices and news yet. */
struct backend_config backends_config(struct options *options);

/* The backend that `text` names, as backend_place_read, with the options of its table. `base` is a
 * backends_config, completed. */
bool backends_place(struct backend_place *ret, struct options *options,
		    const struct backend_config *base, const char *text, char *error,
		    size_t error_size);

/* The text of the one that is used where the user chose `text`: that, unless a switch leaves
 * another one. */
const char *backends_chosen(const struct options *options, const char *text);

/* backend_place_check, and makes the directory that the place wants. */
bool backends_prepare(const struct backend_place *place, char *error, size_t error_size);

#endif
