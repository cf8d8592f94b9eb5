/** POST /upgrade: takes over the tables of the original Worker, a part at a time. */
import { jsonResponse } from "../http/json";
import { upgrade } from "../upgrade";
import { opsContext, settingsOf } from "./context";
import type { Call } from "./context";

export async function upgradeTables(c: Call): Promise<Response> {
	return jsonResponse(JSON.stringify(await upgrade(opsContext(c), settingsOf(c))));
}
