/* The opcodes of None, bools, numbers, text and bytes. Each takes the number that the table of
 * opcodes has for it: mostly the bytes of its operand, or of the operand's length. */
#ifndef STEADYCACHE_PICKLE_READ_SCALARS_H
#define STEADYCACHE_PICKLE_READ_SCALARS_H

#include "pickle/read_machine.h"

/* `which` is an enum pickle_single. */
bool pickle_run_single(struct pickle_machine *m, unsigned which);
bool pickle_run_binint(struct pickle_machine *m, unsigned width);
bool pickle_run_int(struct pickle_machine *m, unsigned argument);
bool pickle_run_long(struct pickle_machine *m, unsigned argument);
bool pickle_run_binary_long(struct pickle_machine *m, unsigned width);
bool pickle_run_float(struct pickle_machine *m, unsigned argument);
bool pickle_run_binfloat(struct pickle_machine *m, unsigned width);
bool pickle_run_string(struct pickle_machine *m, unsigned argument);
bool pickle_run_binstring(struct pickle_machine *m, unsigned width);
bool pickle_run_unicode(struct pickle_machine *m, unsigned argument);
bool pickle_run_binunicode(struct pickle_machine *m, unsigned width);
bool pickle_run_binbytes(struct pickle_machine *m, unsigned width);
bool pickle_run_bytearray(struct pickle_machine *m, unsigned width);

#endif
