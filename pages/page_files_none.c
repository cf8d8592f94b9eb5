/* Replaces the output of pages/build.mjs if that cannot run. */
#include "handlers/pages/page_files.h"

const struct page_file page_files[1] = {{0}};
const size_t page_file_count = 0;
