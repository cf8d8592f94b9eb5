/* The protocol as SteadyText's D1 client speaks it, from Python: steadytext_client.py. */
#include "tests/process/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(steadytext_client);

static void run_client(const char *backend)
{
	char command[TEMP_PATH_SIZE];

	if (system("python3 -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null") != 0)
		cr_skip("there is no python3");
	scene_env_printf("STEADYCACHE_BACKEND=%s", backend);
	scene_env("API_KEY=a-worker-secret");
	scene_start();
	(void)snprintf(command, sizeof(command),
		       "python3 '%s/process/steadytext_client.py' '%s/' a-worker-secret >&2",
		       STEADYCACHE_TESTS_DIR, scene.server.url);
	cr_assert_eq(system(command), 0, "the client has failed; see above");
	scene_stop();
}

Test(steadytext_client, sqlite)
{
	run_client("sqlite");
}

Test(steadytext_client, memory)
{
	run_client("memory");
}
