"""What a name in a Java stack trace stands for in the source: the class, the function, and whose code it is.

The compilers of Java, Kotlin, Scala and Groovy write lambdas, coroutines and accessors as classes and methods of names
of their own; Spring, Quarkus, Micronaut and Hibernate put generated subclasses around those of the application.
"""

import re
from typing import Literal, NamedTuple

GENERATED = re.compile(
    r"\$\$(?:Lambda\b|SpringCGLIB|EnhancerBy|FastClassBy|KeyFactory|_jvst|_javassist|[A-Z]\w*CGLIB)"
    r"|_\$\$_|\$(?:HibernateProxy|HibernateInstantiator|HibernateAccessOptimizer|ByteBuddy|MockitoMock|auxiliary)\$"
    r"|\$quarkusrest\w*\$|_(?:ClientProxy|Subclass)\b|\$(?:Definition|Introspection|Intercepted)\b"
)
"""Where the name of a class that was generated around another one stops naming that one."""
INLINED = re.compile(r"\$special\$\$inlined\$|\$\$inlined\$")
"""Kotlin: the body of an inline function, copied into the class of its caller."""
CLOSURE = re.compile(r"_(\w+?)_closure\d*$")
"""Groovy: the closure of a method."""
IMPLIED = frozenset({"Companion", "DefaultImpls", "WhenMappings", "Companion;", "anonfun", "anon"})
"""Nested classes that have no name in the source, or none that says where the code is."""
ENTRIES = frozenset({"invoke", "invokeSuspend", "emit", "create"})
"""Methods of the classes that Kotlin makes of lambdas and suspending functions."""
RUNTIME = (
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "org.w3c.dom.",
    "org.xml.sax.",
)
LIBRARIES = """
    akka arrow brave cats ch.qos clojure co.elastic co.paralleluniverse com.alibaba com.amazonaws
    com.apollographql com.auth0 com.azure com.baomidou com.clickhouse com.codahale com.couchbase com.ctc
    com.datadoghq com.datastax com.ecwid com.esotericsoftware com.fasterxml com.github.benmanes
    com.github.kagkarlsson com.github.luben com.google.api com.google.auth com.google.cloud com.google.common
    com.google.gson com.google.inject com.google.protobuf com.graphql-java com.h2database com.hazelcast
    com.jayway com.launchdarkly com.lmax com.mchange com.microsoft com.mongodb com.mysql com.netflix
    com.newrelic com.nimbusds com.oracle com.p6spy com.rabbitmq com.squareup com.stripe com.typesafe com.vaadin
    com.zaxxer datadog dev.langchain4j feign freemarker graphql groovy groovyjarjarasm io.activej io.confluent
    io.dropwizard io.fabric8 io.github.bucket4j io.github.resilience4j io.grpc io.helidon io.javalin
    io.jsonwebtoken io.kotest io.ktor io.kubernetes io.lettuce io.micrometer io.micronaut io.minio io.mockk
    io.nats io.netty io.opencensus io.opentelemetry io.opentracing io.prometheus io.quarkus io.r2dbc
    io.reactivex io.sentry io.smallrye io.swagger io.temporal io.undertow io.vavr io.vertx jakarta javassist
    junit liquibase lombok me.prettyprint net.bytebuddy net.jodah net.logstash net.minidev net.sf net.ttddyy
    okhttp3 okio oracle.jdbc oracle.net oracle.ucp org.HdrHistogram org.agrona org.antlr org.apache org.aspectj
    org.assertj org.axonframework org.bouncycastle org.bson org.camunda org.codehaus org.dom4j org.eclipse
    org.ehcache org.elasticsearch org.flywaydb org.freemarker org.glassfish org.gradle org.h2 org.hibernate
    org.hsqldb org.http4k org.infinispan org.jboss org.jctools org.jdbi org.jdom org.jdom2 org.jetbrains.exposed
    org.joda org.jooq org.jose4j org.json org.jsoup org.junit org.keycloak org.koin org.liquibase org.mapstruct
    org.mariadb org.mockito org.modelmapper org.mvel2 org.mybatis org.neo4j org.objectweb org.opensearch org.ow2
    org.picketlink org.postgresql org.quartz org.reactivestreams org.redisson org.reflections org.rocksdb
    org.simplejavamail org.slf4j org.springdoc org.springframework org.sqlite org.testcontainers org.threeten
    org.thymeleaf org.wildfly org.xerial org.xnio org.yaml org.zalando org.zeroturnaround play ratpack reactor
    redis.clients retrofit retrofit2 rx slick software.amazon springfox tech.powerjob tools.jackson zio zipkin2
"""
"""Roots of packages that are libraries wherever they are met; the mapping decides for a repository that is one."""
DEPENDENCIES = frozenset(LIBRARIES.split())


class Name(NamedTuple):
    """A call in the words of the source."""

    module: str
    """The qualified class, nested ones as `Outer$Inner`, without what a compiler or proxy added."""
    function: str | None
    """A constructor and a static initialiser are named for their class; None where the source has no name for it."""
    owner: str
    """The simple name of the outermost class, which mostly is the file's too."""
    generated: bool
    """Whether the frame is code that no source file holds."""


def source_name(call: str) -> Name:
    """What `app//org.example.Cart$$SpringCGLIB$$0.total` names: the class and the function in the source."""
    head, _, method = call.rpartition(".")
    cut = GENERATED.search(head)
    generated = cut is not None
    if cut is not None:
        head = head[: cut.start()]
    qualified = head.rpartition("/")[2]
    package, dot, simple = qualified.rpartition(".")
    if simple.startswith("$"):  # Micronaut's and the platform's own proxies: `$Cart$Definition`, `$Proxy12`
        generated, simple = True, simple.lstrip("$")
    inlined = INLINED.search(simple)
    names, enclosing = _nesting(simple[: inlined.start()] if inlined else simple)
    module = package + dot + "$".join(names)
    function = None if generated and "$$Lambda" in call else _function(method, names[-1] if names else None, enclosing)
    return Name(module, function, names[0] if names else simple, generated)


def _nesting(simple: str) -> tuple[list[str], str | None]:
    """The classes that a binary name nests, and the function whose lambda or coroutine it is: `Cart$load$1`."""
    names: list[str] = []
    for part in simple.split("$"):
        closure = CLOSURE.match(part)
        name = part.lstrip("0123456789")
        if closure is not None:
            return names, closure[1]
        if not name or name in IMPLIED:
            continue
        if names and name[0].islower():
            return names, name.partition("-")[0]
        names.append(name)
    return names, None


def _function(method: str, owner: str | None, enclosing: str | None) -> str | None:
    if enclosing is not None and (method in ENTRIES or method.startswith(("doCall", "apply"))):
        return enclosing
    if method in {"<init>", "<clinit>"}:
        return owner
    if method.startswith(("lambda$", "$anonfun$", "access$")):
        inside = method.partition("$")[2].removeprefix("anonfun$").partition("$")[0]
        if inside in {"new", "static"}:
            return owner
        return None if inside.isdigit() or inside in {"", "null"} else inside
    name = method.partition("$")[0].partition("-")[0]
    return name or None


def kind_of(call: str, name: Name, jar: str) -> Literal["application", "dependency", "runtime"]:
    """Whose code a call is, by its package, and by the jar that logback or log4j2 wrote beside it."""
    platform, slash, qualified = call.rpartition("/")
    qualified = qualified if slash and "$$Lambda" not in call else call
    if qualified.startswith(RUNTIME) or platform.startswith(("java.", "jdk.")):
        return "runtime"
    if name.generated or ".jar!/" in jar:
        return "dependency"
    parts = name.module.split(".")
    roots = (".".join(parts[:count]) for count in range(1, min(len(parts), 4)))
    return "dependency" if any(root in DEPENDENCIES for root in roots) else "application"
