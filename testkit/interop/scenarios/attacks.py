"""Attacks in a short form; `attack.py` has the long one, with figures."""

from attack import Client, guess, silent_reader
from base import check


def guessing_from_one_address(bench):
    """Guessers that hang up are let through one at a time and logged; others log in meanwhile (W020)."""
    bench.deliver()
    gateway = bench.gateway().start()

    def logged():
        log = gateway.log()
        return log.count("login refused"), log.count("while the login waited")

    workers, figures = guess(gateway.port, ["127.0.0.9"], 5.0, logged, parallel=10)
    for host in range(1, 11):
        client = Client(gateway.port, f"127.0.1.{host}")
        heard, _ = client.login(bench.user, bench.password)
        check(heard.startswith(b"+OK"), lambda: f"a right login heard {heard!r}")
        client.socket.sendall(b"QUIT\r\n")
        client.hear()
        client.close()
    for worker in workers:
        worker.join()
    gateway.stop()
    tries, told, waited = figures()
    check(told == tries, f"{told} of {tries} tries are in the log")
    # those that came before the first was found wrong, then one after the other
    check(tries - waited <= 20, f"{tries - waited} of {tries} tries were looked at in 5 s")
    return f"{tries} tries, {tries - waited} looked at"


def standard_error_is_not_read(bench):
    """A full pipe as standard error: sessions go on, SIGTERM ends it, what was lost is said (W025)."""
    folder = bench.folder / "silent"
    folder.mkdir(parents=True, exist_ok=True)
    figures = silent_reader(bench.binary, folder, 4)
    check("0 stuck" in figures["logins while the log is not read"], figures)
    check(figures["says what was lost"], "the log does not say that lines were lost")
    check(figures["SIGTERM"].startswith("ended"), figures["SIGTERM"])
    return figures["logins while the log is not read"]


ALL = [guessing_from_one_address, standard_error_is_not_read]
