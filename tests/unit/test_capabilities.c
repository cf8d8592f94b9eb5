/* The table of what backends can do is whole, and the one in the docs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config/capabilities.h"
#include "store/registry.h"
#include "tests/support/temp_dir.h"

Test(capabilities, every_bit_has_a_row)
{
	for (size_t i = 0; backend_registry[i]; i++)
		cr_expect_eq(backend_registry[i]->bits & ~capabilities_known_bits(), 0,
			     "%s has a bit of which the table knows nothing",
			     backend_registry[i]->name);
	cr_expect_eq(BACKEND_WHOLE & ~capabilities_known_bits(), 0);
}

Test(capabilities, the_docs_have_what_the_program_prints)
{
	char *docs = file_read(STEADYCACHE_TESTS_DIR "/../docs/backends.md", NULL);
	FILE *program = popen("'" STEADYCACHE_BINARY "' --capabilities", "r");
	static char printed[16384];
	size_t len = fread(printed, 1, sizeof(printed) - 1, program);

	cr_assert_eq(pclose(program), 0);
	cr_assert_not_null(docs);
	cr_expect_gt(len, 1000);
	cr_expect(strstr(docs, printed), "docs/backends.md lacks what build/steadycache "
					 "--capabilities prints");
	free(docs);
}
