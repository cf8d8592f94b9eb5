# cpack runs this on the tree that it is about to pack: it adds what Debian requires beyond the install rules,
# and moves files that have another place there.
unset(ENV{DESTDIR}) # cpack's own, and file(INSTALL) would take it
set(tree ${CPACK_TEMPORARY_DIRECTORY})
set(source ${CPACK_STEADYCACHE_SOURCE})
set(doc ${tree}/usr/share/doc/steadycache)

file(INSTALL ${source}/packaging/systemd/steadycache.service ${source}/packaging/systemd/steadycache.socket
	DESTINATION ${tree}/lib/systemd/system)
file(INSTALL ${source}/packaging/debian/default/steadycache DESTINATION ${tree}/etc/default
	PERMISSIONS OWNER_READ OWNER_WRITE)
file(INSTALL ${source}/packaging/debian/copyright DESTINATION ${doc})
file(INSTALL ${source}/packaging/debian/overrides DESTINATION ${tree}/usr/share/lintian/overrides
	RENAME steadycache)
file(MAKE_DIRECTORY ${tree}/usr/share/zsh/vendor-completions)
file(RENAME ${tree}/usr/share/zsh/site-functions/_steadycache
	${tree}/usr/share/zsh/vendor-completions/_steadycache)
file(REMOVE_RECURSE ${tree}/usr/share/zsh/site-functions)

# SOURCE_DATE_EPOCH, if it is set, is the time.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(version ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
set(maintainer ${CPACK_PACKAGE_CONTACT})
configure_file(${source}/packaging/debian/changelog.in ${doc}/changelog.Debian @ONLY)
configure_file(${source}/CHANGELOG.md ${doc}/changelog COPYONLY)
execute_process(COMMAND gzip -9nf ${doc}/changelog.Debian ${doc}/changelog
	${tree}/usr/share/man/man1/steadycache.1 COMMAND_ERROR_IS_FATAL ANY)
# As Debian's own tools do, whatever the umask of the build.
execute_process(COMMAND find ${tree} -type d -exec chmod 0755 "{}" + COMMAND_ERROR_IS_FATAL ANY)
