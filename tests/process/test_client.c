/* The client commands, run as a shell runs them, against a real server. */
#include "tests/process/client_run.h"

PROCESS_SUITE(client);

Test(client, set_and_get_keep_every_byte)
{
	scene_start();
	expect_run(0,
		   "head -c 100000 /dev/urandom >v && $S set ns k -f v && $S get ns k | cmp - v");
	expect_run(0, "cat v | $S set ns piped - && $S get ns piped -o w && cmp v w");
	expect_run(0, "$S set ns empty '' && $S get ns empty -o e && test -e e -a ! -s e");
	expect_run(0, "$S set ns t x --type text/css --ttl 60 --json && python3 -m json.tool out");
	expect_header(http_get(scene.client, "/cache/ns/t"), "Content-Type", "text/css");
	cr_assert_not_null(http_header(http_get(scene.client, "/cache/ns/t"), "Cache-Control"));
	expect_run(0, "$S set ns h x --header 'X-Meta-Build: 7' --header=content-language:de");
	expect_header(http_get(scene.client, "/cache/ns/h"), "X-Meta-Build", "7");
	expect_header(http_get(scene.client, "/cache/ns/h"), "Content-Language", "de");
	expect_run(2, "$S set ns h y --header 'Set-Cookie: a=b'");
	cr_expect(holds("err", "Set-Cookie is none of the headers that are kept"));
	expect_run(2, "$S set ns h y --header X-Meta-Build");
	expect_run(3, "$S set ns h y --header 'X-Meta-A: 1' --header 'x-meta-a: 2'");
	cr_expect(holds("err", "only once"));
	expect_header(http_get(scene.client, "/cache/ns/h"), "X-Meta-Build", "7");
	scene_stop();
}

Test(client, get_pickle_shows_values_of_steadytext)
{
	scene_start();
	/* base64 of the pickle of "Hi\x1b[2J there" */
	expect_run(0, "$S set gen k gASVEAAAAAAAAACMDEhpG1sySiB0aGVyZZQu && "
		      "$S get gen k --pickle -o shown && "
		      "printf 'Hi\\033[2J there\\n' | cmp - shown && "
		      "$S get gen k --pickle | cmp - shown");
	/* A terminal gets nothing that acts on it. */
	expect_run(0, "! command -v script || script -qec \"'$S' get gen k --pickle\" /dev/null | "
		      "grep -qF 'Hi\\x1b[2J there'");
	/* Long ones are shown whole. */
	expect_run(
		0,
		"{ printf '('; for i in {1..3000}; do printf 'I%d\\n' $i; done; printf 't.'; } | "
		"$S set gen many - && $S get gen many --pickle | tr -cd , | wc -c | "
		"grep -qx 3000");
	/* What is none leaves no output, and a file that is there as it was. */
	expect_run(3, "$S set gen text 'hello, world' && $S get gen text --pickle -o shown");
	cr_expect(holds("err", "at byte 0 of the pickle"));
	expect_run(0, "printf 'Hi\\033[2J there\\n' | cmp - shown");
	expect_run(3, "$S get gen text --pickle");
	expect_run(0, "test ! -s out");
	expect_run(1, "$S get gen missing --pickle");
	scene_stop();
}

Test(client, keys_may_hold_any_byte)
{
	scene_start();
	for (const char *const *key = (const char *const[]){"a/../b?c#d%00", "..", ".", "ä€😀",
							    "a b", "x&y=z+", "\"q\"", NULL};
	     *key; key++) {
		(void)setenv("K", *key, 1);
		expect_run(0,
			   "$S set odd \"$K\" \"v$K\" && test \"$($S get odd \"$K\")\" = \"v$K\"");
	}
	expect_run(0,
		   "test $($S list odd | wc -l) -eq 7 && $S list odd | grep -qxF 'a/../b?c#d%00'");
	expect_run(
		0,
		"$S set odd YQBi nul --key-base64 && test $($S get odd YQBi --key-base64) = nul");
	expect_body(http_get(scene.client, "/cache/odd/a%00b"), SLICE("nul"));
	expect_run(0, "$S list odd --prefix a -0 | grep -qzP '^a\\x00?' ");
	expect_run(2, "$S get odd ''");
	expect_run(2, "$S get odd '*' --key-base64");
	scene_stop();
}

/* Any writer chooses keys, and whoever lists them has a terminal. */
Test(client, nothing_of_a_key_acts_on_a_terminal)
{
	static const struct {
		const char *encoded, *shown, *json;
	} cases[] = {
		{"%1b%5b2J", "\\x1B[2J", "\\u001B[2J"},
		{"a%0ab", "a\\x0Ab", "a\\nb"},
		{"a%7f", "a\\x7F", "a\\u007F"},
		{"%c2%9b31m", "\\xC2\\x9B31m", "\\u009B31m"},
		{"%9b31m", "\\x9B31m", NULL},
		{"%e2%80%aegpj", "\\xE2\\x80\\xAEgpj", "\\u202Egpj"},
		{"%e2%80%a8", "\\xE2\\x80\\xA8", "\\u2028"},
		{"a%e2%80%8bb", "a\\xE2\\x80\\x8Bb", "a\\u200Bb"},
		{"%f3%a0%81%81", "\\xF3\\xA0\\x81\\x81", "\\uDB40\\uDC41"},
		{"a%5cx1B", "a\\\\x1B", "a\\\\x1B"},
		{"%c3%a4%e2%82%ac%f0%9f%98%80", "ä€😀", "ä€😀"},
		{"%ed%a0%80", "\\xED\\xA0\\x80", NULL},
		{"%c3", "\\xC3", NULL},
	};

	scene_start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char target[100];

		(void)snprintf(target, sizeof(target), "/cache/ns/%s", cases[i].encoded);
		expect_status(http_put(scene.client, target, SLICE("v")), 201);
		(void)setenv("SHOWN", cases[i].shown, 1);
		(void)setenv("JSON", cases[i].json ? cases[i].json : "key_base64", 1);
		expect_run(0, "script -qec \"$S list ns\" list >/dev/null && "
			      "tr -d '\\r' <list | grep -qxF \"$SHOWN\"");
		expect_run(0, "script -qec \"$S list ns -0\" list >/dev/null && "
			      "tr '\\0' '\\n' <list | grep -qF \"$SHOWN\"");
		expect_run(
			0,
			"$S list ns --json | tee json | grep -qF \"$JSON\" && "
			"python3 -c 'import json, sys; [json.loads(l) for l in sys.stdin]' <json");
		/* A pipe gets every byte. */
		(void)setenv("ENCODED", cases[i].encoded, 1);
		expect_run(0, "test \"$($S list ns -0 | od -An -tx1)\" = "
			      "\"$(python3 -c 'import os, sys, urllib.parse as u; "
			      "sys.stdout.buffer.write(u.unquote_to_bytes(os.environ[\"ENCODED\"]) "
			      "+ b\"\\0\")' | od -An -tx1)\"");
		expect_run(0, "! LC_ALL=C grep -qP '[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]' json");
		expect_status(http_delete(scene.client, target), 204);
	}
	scene_stop();
}

Test(client, nothing_of_an_error_acts_on_a_terminal)
{
	scene_start();
	expect_run(2, "STEADYCACHE_URL=$'ftp://\\x1b[2J\\x9b' $S get ns k");
	cr_assert(holds("err", "\\x1B[2J\\x9B"));
	expect_run(3, "$S get $'n\\x1b' k");
	expect_run(0, "! LC_ALL=C grep -qP '[\\x00-\\x08\\x0e-\\x1f\\x7f-\\x9f]' err");
	expect_run(2, "$S import --on-error $'\\x1b]0;x\\x07' <$S");
	cr_assert(holds("err", "\\x1B]0;x\\x07"));
	scene_stop();
}

Test(client, exit_codes)
{
	scene_start();
	expect_run(1, "$S get ns none");
	cr_assert(holds("err", "no such entry"));
	expect_run(0, "$S get -q ns none; test $? -eq 1 -a ! -s err");
	expect_run(1, "$S delete ns none");
	expect_run(2, "$S get ns");
	expect_run(2, "$S get ns k --no-such");
	expect_run(2, "$S set ns k v --ttl soon");
	expect_run(2, "STEADYCACHE_URL=ftp://x $S get ns k");
	expect_run(3, "$S get 'bad ns' k");
	expect_run(0, "$S set ns k v --if-absent");
	expect_run(3, "$S set ns k w --if-absent");
	expect_run(3, "$S set ns k w --if-match nope");
	expect_run(5, "$S get ns k -o no/such/file");
	expect_run(5, "$S get ns k >/dev/full");
	expect_run(5, "$S set ns k -f none");
	expect_run(4, "STEADYCACHE_URL=http://127.0.0.1:1 $S get ns k");
	cr_assert(holds("err", "STEADYCACHE_URL"));
	expect_run(1, "STEADYCACHE_URL=http://127.0.0.1:1 $S healthcheck");
	expect_run(0, "$S healthcheck && $S healthcheck --live -q");
	scene_stop();
}

Test(client, token)
{
	scene_env("STEADYCACHE_API_KEY=right");
	scene_start();
	expect_run(3, "$S get ns k");
	expect_run(3, "STEADYCACHE_API_KEY=wrong $S get ns k");
	cr_assert(holds("err", "STEADYCACHE_API_KEY"));
	expect_run(1, "STEADYCACHE_API_KEY=right $S get ns k");
	expect_run(1, "echo right >token; STEADYCACHE_API_KEY_FILE=token $S get ns k");
	expect_run(2, "STEADYCACHE_API_KEY_FILE=none $S get ns k");
	expect_run(0, "$S healthcheck");
	scene_stop();
}

Test(client, delete_list_and_stats)
{
	scene_start();
	for (int i = 0; i < 2300; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%04d", i);
		(void)scene_put(key, "v");
	}
	expect_run(0,
		   "test $($S list ns | wc -l) -eq 2300 && test $($S list ns --limit 1500 | wc -l) "
		   "-eq 1500");
	expect_run(0,
		   "$S list ns --json --limit 3 | while read -r l; do python3 -m json.tool <<<$l; "
		   "done");
	expect_run(2, "$S delete ns --all");
	expect_run(0, "$S delete ns --prefix k00 --yes && test $($S list ns | wc -l) -eq 2200");
	expect_run(0, "$S stats && grep -q 2200 out && $S stats ns --json | python3 -m json.tool");
	expect_run(0, "test $($S list) = ns && $S delete ns --all -y && test -z \"$($S list ns)\"");
	scene_stop();
}

Test(client, expire_and_drop)
{
	scene_start();
	expect_run(0, "$S set ns k v && $S set ns l v");
	expect_run(0, "$S expire ns k 1000 && $S list ns --json | grep '\"k\"' | "
		      "grep -q '\"expires_at\": *[0-9]'");
	expect_run(0, "$S expire ns k 0 && $S list ns --json | grep '\"k\"' | "
		      "grep -q '\"expires_at\": *null'");
	expect_run(1, "$S expire ns none 5");
	expect_run(2, "$S expire ns k soon");
	expect_run(2, "$S expire ns k");
	expect_run(3, "$S expire ns k 5 --if-match nope");
	expect_run(2, "$S delete ns --drop --all -y");
	expect_run(2, "$S delete ns --drop");
	expect_run(0, "$S get ns k && $S delete ns --drop --yes && test -z \"$($S list)\"");
	expect_run(1, "$S delete ns --drop --yes");
	cr_assert(holds("err", "no such namespace"));
	scene_stop();
}

/* Prints the peak of resident memory, in KiB, of the command after it. */
#define PEAK                                                                                       \
	"peak() { python3 -c 'import resource,subprocess,sys; "                                    \
	"subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True); "                      \
	"print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' \"$@\"; }; "

Test(client, large_values_are_streamed)
{
	scene_start();
	expect_run(0, "head -c 20000000 /dev/urandom >v && $S set ns big -f v && $S set ns small v "
		      "&& $S get ns big | cmp - v");
	expect_run(0,
		   PEAK "a=$(peak $S get ns small); b=$(peak $S get ns big); echo get $a $b >&2; "
			"test $((b - a)) -lt 8000");
	expect_run(0,
		   PEAK "a=$(peak $S set ns small v); b=$(peak $S set ns big -f v); echo set $a $b "
			">&2; test $((b - a)) -lt 8000");
	/* A reader that goes away ends it silently, as it ends every filter. */
	expect_run(141, "set -o pipefail; $S get ns big 2>words | head -c 1; exit $?");
	expect_run(0, "test -e words -a ! -s words");
	scene_stop();
}

Test(client, completions_and_manual_match_the_table)
{
	expect_run(0, "$S help serve | grep -q -- --data-dir && $S help | grep -q healthcheck");
	expect_run(0, "$S completion bash | cmp - '" STEADYCACHE_TESTS_DIR
		      "/../client/completions/steadycache.bash'");
	expect_run(0, "$S completion zsh | cmp - '" STEADYCACHE_TESTS_DIR
		      "/../client/completions/_steadycache'");
	expect_run(0, "source <($S completion bash); COMP_WORDS=(steadycache he); COMP_CWORD=1; "
		      "_steadycache; test \"${COMPREPLY[*]}\" = 'healthcheck help'");
	expect_run(
		0,
		"source <($S completion bash); COMP_WORDS=(steadycache set --if-); COMP_CWORD=2; "
		"_steadycache; test \"${COMPREPLY[*]}\" = '--if-absent --if-match'");
	expect_run(0, "mkdir folder; touch fole; source <($S completion bash); "
		      "COMP_WORDS=(steadycache import-steadytext fol); COMP_CWORD=2; "
		      "_steadycache; test \"${COMPREPLY[*]}\" = folder");
	expect_run(
		0,
		"for c in get set delete stats list export import import-steadytext backup "
		"check-plugin healthcheck; do "
		"$S help $c | grep -oE -- '--[a-z0-9-]+' | sort -u >a; "
		"sed -n \"/^.It Cm $c\\( \\|\\$\\)/,/^.El/p\" '" STEADYCACHE_TESTS_DIR
		"/../client/man/steadycache.1' | sed -n 's/.*Fl Fl \\([a-z0-9-]*\\).*/--\\1/p' | "
		"sort -u >b; "
		"cmp a b || exit 1; done");
	expect_run(0, "! command -v mandoc || mandoc -T lint '" STEADYCACHE_TESTS_DIR
		      "/../client/man/steadycache.1'");
}
