/* Export and import of the client, against a server that answers as each test says. */
#include "tests/process/client_run.h"
#include "tests/support/mock_upstream.h"

PROCESS_SUITE(client_export);

#define HEADER "{\"steadycache_export\":1,\"namespace\":\"ns\"}\n"
#define ENTRY  "{\"namespace\":\"ns\",\"key\":\"a\",\"value\":\"v\"}\n"
#define CURSOR "{\"cursor\":\"YQ\"}\n"
#define END    "{\"complete\":true,\"entries\":1}\n"

static struct mock_upstream *mock;

static void answer(int status, const char *body)
{
	mock_always(mock,
		    (struct mock_reply){.behaviour = MOCK_ANSWER, .status = status, .body = body});
}

static void expect_exit(int code, const char *line)
{
	int got = run_against(mock_url(mock), line);

	cr_assert_eq(got, code, "exit %d from: %s", got, line);
}

static void expect_file(const char *name, const char *text)
{
	char path[TEMP_PATH_SIZE];
	char *got = file_read(temp_dir_path(&scene.dir, name, path), NULL);

	cr_assert(got && strcmp(got, text) == 0, "%s: %s", name, got ? got : "(none)");
	free(got);
}

Test(client_export, whole_one)
{
	mock = mock_open();
	answer(200, HEADER ENTRY END);
	expect_exit(0, "$S export ns -o f");
	cr_assert(holds("err", "exported 1 entries to f"));
	expect_file("f", HEADER ENTRY END);
	expect_exit(0, "$S export ns");
	expect_file("out", HEADER ENTRY END);
	unsigned before = mock_requests(mock);
	expect_exit(0, "$S export ns -o f --resume");
	cr_assert_eq(mock_requests(mock), before, "a complete export was asked for again");
	mock_close(mock);
}

Test(client_export, broken_off_and_resumed)
{
	mock = mock_open();
	/* No last line: what follows the cursor would be sent again. */
	answer(200, HEADER ENTRY CURSOR ENTRY "{\"namesp");
	expect_exit(4, "$S export ns -o f");
	cr_assert(holds("err", "--resume"));
	answer(200, HEADER ENTRY END);
	expect_exit(0, "$S export ns -o f --resume");
	expect_file("f", HEADER ENTRY CURSOR ENTRY END);
	/* Without a cursor it starts over. */
	expect_exit(0,
		    "printf '{\"steadycache_export\":1}\\n{\"k' >g && $S export ns -o g --resume");
	expect_file("g", HEADER ENTRY END);
	expect_exit(5, "echo text >h && $S export ns -o h --resume");
	expect_file("h", "text\n");
	expect_exit(2, "$S export ns --resume");
	mock_close(mock);
}

Test(client_export, import_reports)
{
	mock = mock_open();
	answer(200, "{\"imported\":1,\"failed\":0,\"errors\":[],\"errors_left_out\":0,\"complete\":"
		    "true}");
	expect_exit(0, "printf 'LINE ONE\\n' >f && $S import -f f");
	cr_assert(holds("out", "imported 1 entries"));
	cr_assert_eq(mock_count(mock, "LINE ONE"), 1);
	answer(200, "{\"imported\":1,\"failed\":2,\"errors\":[{\"line\":7,\"error\":\"bad\\u001b["
		    "key\"}],\"errors_left_out\":1,\"complete\":true}");
	expect_exit(3, "$S import -f f --on-error continue");
	cr_assert(holds("err", "line 7: bad\\x1B[key"));
	cr_assert(holds("err", "and 1 more"));
	expect_exit(0, "$S import -f f --json | python3 -m json.tool");
	answer(200, "{\"imported\":1,\"failed\":0,\"errors\":[],\"complete\":false}");
	expect_exit(3, "$S import -f f");
	cr_assert(holds("err", "incomplete"));
	answer(503, "{\"detail\":\"the backend is down\"}");
	expect_exit(4, "$S import -f f");
	cr_assert(holds("err", "the backend is down"));
	expect_exit(2, "$S import -f f --on-error maybe");
	expect_exit(5, "$S import -f none");
	mock_close(mock);
}
