#include "steadytext/import.h"

bool steadytext_import_run(struct steadytext_import *import)
{
	(void)import;
	return false;
}
