/* Text in pickles: the numbers and strings that protocol 0 writes as lines, and bytes as text.
 * Functions answer NULL or false as those of read_machine.h do. */
#ifndef STEADYCACHE_PICKLE_READ_TEXT_H
#define STEADYCACHE_PICKLE_READ_TEXT_H

#include "pickle/read_machine.h"

/* An int from its decimal digits, with a sign or without. */
struct pickle_node *pickle_text_int(struct pickle_machine *machine, struct slice line);
struct pickle_node *pickle_text_float(struct pickle_machine *machine, struct slice line);
/* A str from a line in the encoding raw-unicode-escape. */
struct pickle_node *pickle_text_unicode(struct pickle_machine *machine, struct slice line);
/* A str from the repr of a byte string of Python 2, which must be ASCII. */
struct pickle_node *pickle_text_string(struct pickle_machine *machine, struct slice line);
/* A str from a byte string of Python 2. */
struct pickle_node *pickle_text_ascii(struct pickle_machine *machine, struct slice bytes);

/* bytes from a str, one for each code point, which are below 256. */
bool pickle_text_to_latin1(struct pickle_machine *machine, struct slice text, struct slice *ret);

#endif
