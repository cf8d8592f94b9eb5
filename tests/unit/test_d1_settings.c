/* How the d1 backend reads its configuration. */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/d1/settings.h"

Test(d1_settings, are_completed)
{
	struct d1_config config = {.url = "http://h/x//", .api_key = "t/", .retries = 4};
	const struct backend_config all = {.settings = &config};
	struct remote_settings settings;

	cr_assert(d1_settings_init(&settings, &all));
	cr_expect_str_eq(settings.base_url, "http://h/x");
	cr_expect_str_eq(settings.authorization, "Authorization: Bearer t/");
	cr_expect_eq(settings.batch_size, 50);
	cr_expect_eq(settings.retries, 4);
	cr_expect_gt(settings.max_in_flight, 0);
	cr_expect_gt(settings.timeout_us, settings.connect_timeout_us);
	remote_settings_deinit(&settings);
}

static void expect_refused(const struct d1_config *config, const char *option)
{
	struct backend_config all = {.settings = config};
	char error[256] = "";

	cr_expect_not(d1_settings_check(&all, error, sizeof(error)));
	cr_expect(strstr(error, option), "\"%s\" should name %s", error, option);
}

Test(d1_settings, what_is_missing_is_named)
{
	struct d1_config config = {0};

	expect_refused(&config, "STEADYTEXT_D1_API_URL");
	config.url = "nonsense";
	expect_refused(&config, "STEADYTEXT_D1_API_URL");
	config.url = "http://h";
	config.api_key = "two words\r\n";
	expect_refused(&config, "STEADYTEXT_D1_API_KEY");
}
