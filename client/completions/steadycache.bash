# steadycache's completion for bash; made by: steadycache completion bash
_steadycache() {
	local word=${COMP_WORDS[COMP_CWORD]} before= command=${COMP_WORDS[1]} words=
	((COMP_CWORD > 0)) && before=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W 'serve get set expire delete stats list watch export import import-steadytext migrate backup check-plugin healthcheck token completion help --help --version' -- "$word")
		return
	fi
	case $before in
	-f | --file | -o | --output | --state)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
		return
		;;
	--data-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		compopt -o filenames 2>/dev/null
		return
		;;
	--on-error) words='stop continue' ;;
	help) words='serve get set expire delete stats list watch export import import-steadytext migrate backup check-plugin healthcheck token completion help' ;;
	completion) words='bash zsh' ;;
	esac
	if [[ -z $words ]]; then
		case $command in
		serve) words='--profile= --listen= --facades= --backend= --route= --data-dir= --token-file= --tls-cert= --tls-key= --tls-client-ca= --durability= --threads= --max-body-mb= --max-key-kb= --max-header-kb= --max-batch= --max-connections= --max-namespaces= --idle-timeout= --drain= --request-timeout= --memory-max-mb= --persist-every= --sqlite-cache-mb= --default-max-size-mb= --default-eviction= --generation-capacity= --generation-max-size-mb= --embedding-capacity= --embedding-max-size-mb= --reranking-capacity= --reranking-max-size-mb= --d1-url= --d1-ca-file= --d1-batch-size= --d1-max-in-flight= --d1-retries= --d1-connect-timeout= --d1-timeout= --redis-ca-file= --redis-cert-file= --redis-key-file= --redis-prefix= --redis-connections= --redis-retries= --redis-connect-timeout= --redis-timeout= --dynamodb-table= --dynamodb-region= --dynamodb-endpoint= --dynamodb-prefix= --dynamodb-ca-file= --dynamodb-create-table= --dynamodb-shards= --dynamodb-connections= --dynamodb-retries= --dynamodb-connect-timeout= --dynamodb-timeout= --near-mb= --near-ttl= --near-stale= --large-values= --large-value-bytes= --large-value-max-mb= --large-sweep= --large-grace= --large-ca-file= --large-timeout= --import-dir= --import-keep= --log-level= --log-format= --metrics-public= --access-log= --slow-request-ms= --disable-cache= --skip-cache-init= ' ;;
		get) words='--key-base64 -o --output --pickle -q --quiet --timeout -h --help ' ;;
		set) words='-f --file --header --if-absent --if-match --json --key-base64 --timeout --ttl --type -h --help ' ;;
		expire) words='--if-match --key-base64 -q --quiet --timeout -h --help ' ;;
		delete) words='--all --drop --if-match --key-base64 --prefix -q --quiet --timeout -y --yes -h --help ' ;;
		stats) words='--json --timeout -h --help ' ;;
		list) words='--json --limit -0 --null --prefix --timeout -h --help ' ;;
		watch) words='--json --key-base64 -0 --null --prefix -q --quiet --timeout -h --help ' ;;
		export) words='-o --output --prefix -q --quiet --resume --timeout -h --help ' ;;
		import) words='-f --file --json --on-error -q --quiet --timeout -h --help ' ;;
		import-steadytext) words='--again --dry-run --json --keep -q --quiet --timeout -h --help ' ;;
		migrate) words='--dry-run --from-large-values --json --namespace --no-settings --overwrite -q --quiet --skip-existing --state --timeout --to-large-values --verify -h --help ' ;;
		backup) words='--data-dir --force --json -q --quiet -h --help ' ;;
		check-plugin) words='-h --help ' ;;
		healthcheck) words='--json --live -q --quiet --timeout -h --help ' ;;
		token) words='--expires --name --namespaces --rate --rights -h --help ' ;;
		completion) words='-h --help ' ;;
		help) words='-h --help ' ;;
		esac
	fi
	if [[ $command == @(backup|check-plugin|migrate) && $word != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		compopt -o filenames 2>/dev/null
		return
	fi
	if [[ $command == import-steadytext && $word != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		compopt -o filenames 2>/dev/null
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
	return 0
}
complete -F _steadycache steadycache
