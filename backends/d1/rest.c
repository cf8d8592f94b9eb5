#include "backends/d1/dialect.h"
const struct d1_dialect d1_rest_dialect = {0};
