// What DynamoDB has and dynalite lacks: transactions, settings of the time to live, and the item in the answer
// of a condition that failed. Each action of a transaction is dynalite's own, on a store that keeps what is
// written until all of them have succeeded.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const db = require("dynalite/db");
const validations = require("dynalite/validations");
const actionOf = (name) => require(`dynalite/actions/${name}`);
const rulesOf = (name) => require(`dynalite/validations/${name}`);

const ACTIONS_MAX = 100;
const BYTES_MAX = 4 * 1024 * 1024;
const TOKEN_MS = 10 * 60 * 1000;
const NAMESPACE = "com.amazonaws.dynamodb.v20120810";

export class Refusal extends Error {
	constructor(type, message, more = {}) {
		super(message);
		this.statusCode = 400;
		this.body = { __type: type.includes("#") ? type : `${NAMESPACE}#${type}`, message, ...more };
	}
}
const invalid = (message) => new Refusal("com.amazon.coral.validate#ValidationException", message);

const call = (action, store, data) =>
	new Promise((resolve, reject) =>
		action(store, data, (error, result) => (error ? reject(error) : resolve(result))),
	);

/** The store, where writes wait in `staged` and no lock is taken: who uses it has them. */
function stagedStore(store, staged) {
	const wrap = (name, base) => ({
		lock: (_key, run) => run((callback) => callback),
		get: (key, callback) => {
			const id = `${name}~${key}`;
			if (staged.has(id)) setImmediate(callback, null, staged.get(id).value);
			else base.get(key, callback);
		},
		put: (key, value, callback) => {
			staged.set(`${name}~${key}`, { type: "put", key: `${name}~${key}`, value });
			setImmediate(callback, null);
		},
		del: (key, callback) => {
			staged.set(`${name}~${key}`, { type: "del", key: `${name}~${key}` });
			setImmediate(callback, null);
		},
	});
	return {
		...store,
		getItemDb: (table) => wrap(`item-${table}`, store.getItemDb(table)),
		getIndexDb: (kind, table, index) =>
			wrap(`index-${kind.toLowerCase()}~${table}~${index}`, store.getIndexDb(kind, table, index)),
	};
}

const KINDS = { Put: "putItem", Update: "updateItem", Delete: "deleteItem", ConditionCheck: "deleteItem", Get: "getItem" };

/** The actions of a request, checked: [{kind, name, data, table, key}]. */
async function parse(store, data, kinds) {
	const items = data.TransactItems;
	if (!Array.isArray(items) || !items.length)
		throw invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1");
	if (items.length > ACTIONS_MAX)
		throw invalid(`1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to ${ACTIONS_MAX}`);
	const actions = [];
	const seen = new Set();
	for (const item of items) {
		const [kind, ...more] = Object.keys(item);
		if (!kinds.includes(kind) || more.length)
			throw invalid(`TransactItems can only contain one of ${kinds.join(", ")}`);
		const name = KINDS[kind];
		if (kind === "ConditionCheck" && !item[kind].ConditionExpression)
			throw invalid("The expression can not be empty; ConditionExpression");
		const wantsItem = item[kind].ReturnValuesOnConditionCheckFailure === "ALL_OLD";
		const rules = rulesOf(name);
		const checked = validations.checkTypes({ ...item[kind] }, rules.types);
		validations.checkValidations(checked, rules.types, rules.custom, store);
		const table = await new Promise((resolve, reject) =>
			store.getTable(checked.TableName, (error, found) => (error ? reject(error) : resolve(found))),
		);
		const wrong = checked.Item ? db.validateItem(checked.Item, table) : db.validateKey(checked.Key, table);
		if (wrong) throw wrong;
		const key = db.createKey(checked.Item ?? checked.Key, table);
		if (seen.has(`${checked.TableName}~${key}`))
			throw invalid("Transaction request cannot include multiple operations on one item");
		seen.add(`${checked.TableName}~${key}`);
		actions.push({ kind, name, data: checked, table, key, wantsItem });
	}
	return actions;
}

/** Runs `body` while nothing else can change the actions' items. */
async function locked(store, actions, body) {
	const tables = [...new Set(actions.map((action) => action.data.TableName))].sort();
	const releases = [];
	for (const table of tables) {
		const keys = actions.filter((action) => action.data.TableName === table).map((action) => action.key);
		// One after the other in one order: no two transactions wait for each other.
		for (const key of keys.sort())
			await new Promise((resolve) =>
				store.getItemDb(table).lock(key, (release) => {
					releases.push(release(() => {}));
					resolve();
				}),
			);
	}
	try {
		return await body();
	} finally {
		for (const release of releases) release();
	}
}

const existing = (store, action) =>
	new Promise((resolve, reject) =>
		store.getItemDb(action.data.TableName).get(action.key, (error, item) => {
			if (error && error.name !== "NotFoundError") reject(error);
			else resolve(item);
		}),
	);

const REASONS = [
	[/ConditionalCheckFailedException$/, "ConditionalCheckFailed"],
	[/ValidationException$/, "ValidationError"],
];

async function reasonOf(store, action, error) {
	const found = REASONS.find(([pattern]) => pattern.test(error.body?.__type ?? ""));
	if (!found) throw error;
	const reason = { Code: found[1], Message: error.body.message };
	if (action.wantsItem && reason.Code === "ConditionalCheckFailed") {
		const item = await existing(store, action);
		if (item) reason.Item = item;
	}
	return reason;
}

export function cancelled(reasons) {
	const text = `Transaction cancelled, please refer cancellation reasons for specific reasons [${reasons.map((reason) => reason.Code).join(", ")}]`;
	return new Refusal("TransactionCanceledException", text, { Message: text, message: undefined, CancellationReasons: reasons });
}

async function write(store, actions) {
	const staged = new Map();
	const onStage = stagedStore(store, staged);
	const reasons = [];
	let bytes = 0;
	for (const action of actions) {
		try {
			if (action.kind === "ConditionCheck") {
				const failure = db.checkConditional(action.data, await existing(store, action));
				if (failure) throw failure;
			} else await call(actionOf(action.name), onStage, action.data);
			const written = staged.get(`item-${action.data.TableName}~${action.key}`)?.value;
			bytes += db.itemSize(written ?? action.data.Key ?? {});
			reasons.push({ Code: "None" });
		} catch (error) {
			reasons.push(await reasonOf(store, action, error));
		}
	}
	if (reasons.some((reason) => reason.Code !== "None")) throw cancelled(reasons);
	if (bytes > BYTES_MAX) throw invalid("Collection size of the transaction exceeds 4 MB");
	if (staged.size)
		await new Promise((resolve, reject) =>
			store.db.batch([...staged.values()], (error) => (error ? reject(error) : resolve())),
		);
	return {};
}

const tokens = new Map(); // ClientRequestToken: {text, ends, result}

async function transactWriteItems(store, data) {
	const token = data.ClientRequestToken;
	if (token === undefined) return perform();
	if (typeof token !== "string" || token.length < 1 || token.length > 36)
		throw invalid("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 36");
	const text = JSON.stringify(data.TransactItems);
	const now = Date.now();
	for (const [name, { ends }] of tokens) if (ends <= now) tokens.delete(name);
	const before = tokens.get(token);
	if (before && before.text !== text)
		throw new Refusal("IdempotentParameterMismatchException", "The ClientRequestToken was used with other parameters");
	if (before) return before.result;
	const result = perform();
	tokens.set(token, { text, ends: now + TOKEN_MS, result });
	result.catch(() => tokens.delete(token)); // what failed may be tried again
	return result;

	async function perform() {
		const actions = await parse(store, data, ["Put", "Update", "Delete", "ConditionCheck"]);
		return locked(store, actions, () => write(store, actions));
	}
}

async function transactGetItems(store, data) {
	const actions = await parse(store, data, ["Get"]);
	return locked(store, actions, async () => {
		const responses = [];
		let bytes = 0;
		for (const action of actions) {
			const { Item } = await call(actionOf("getItem"), store, action.data);
			bytes += Item ? db.itemSize(Item) : 0;
			responses.push(Item ? { Item } : {});
		}
		if (bytes > BYTES_MAX) throw invalid("Collection size of the transaction exceeds 4 MB");
		return { Responses: responses };
	});
}

const timesToLive = new Map(); // by table: the attribute

const tableOf = (store, name) =>
	new Promise((resolve, reject) =>
		store.getTable(name ?? "", false, (error, table) => (error ? reject(error) : resolve(table))),
	);

async function updateTimeToLive(store, data) {
	await tableOf(store, data.TableName);
	const { AttributeName, Enabled } = data.TimeToLiveSpecification ?? {};
	if (typeof AttributeName !== "string" || typeof Enabled !== "boolean")
		throw invalid("TimeToLiveSpecification must have AttributeName and Enabled");
	if (timesToLive.has(data.TableName) === Enabled)
		throw invalid(`TimeToLive is already ${Enabled ? "enabled" : "disabled"}`);
	if (Enabled) timesToLive.set(data.TableName, AttributeName);
	else timesToLive.delete(data.TableName);
	return { TimeToLiveSpecification: { AttributeName, Enabled } };
}

async function describeTimeToLive(store, data) {
	await tableOf(store, data.TableName);
	const AttributeName = timesToLive.get(data.TableName);
	return {
		TimeToLiveDescription: AttributeName
			? { AttributeName, TimeToLiveStatus: "ENABLED" }
			: { TimeToLiveStatus: "DISABLED" },
	};
}

/** By the name of the call: what answers it in dynalite's place. */
export const CALLS = {
	TransactWriteItems: transactWriteItems,
	TransactGetItems: transactGetItems,
	UpdateTimeToLive: updateTimeToLive,
	DescribeTimeToLive: describeTimeToLive,
};

/**
 * PutItem, UpdateItem and DeleteItem with ReturnValuesOnConditionCheckFailure, which dynalite does not know:
 * runs them alone, so that the item is the one that failed the condition.
 */
export async function single(store, name, data) {
	const [action] = await parse(store, { TransactItems: [{ [name.replace("Item", "")]: data }] }, ["Put", "Update", "Delete"]);
	return locked(store, [action], async () => {
		const staged = new Map();
		try {
			const result = await call(actionOf(action.name), stagedStore(store, staged), action.data);
			await new Promise((resolve, reject) =>
				store.db.batch([...staged.values()], (error) => (error ? reject(error) : resolve())),
			);
			return result;
		} catch (error) {
			const item = error.body && (await existing(store, action));
			if (item && /ConditionalCheckFailedException$/.test(error.body.__type)) error.body.Item = item;
			throw error;
		}
	});
}
