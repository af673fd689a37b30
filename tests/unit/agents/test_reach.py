"""A request's path leads to its handler and what that calls, whatever language and framework registers it."""

import pytest

from agents.diagnosis import Diagnosis, diagnose
from agents.reach import reached_by
from agents.slowness import rank_slow
from agents.triage import triage
from tests.fakes import FakeCommit, FakeRepository
from tests.shop import bundle_of

EXPRESS = """const express = require("express");
const app = express();
app.use("/static", express.static("public"));
app.get("/users/:id/orders", auth, listOrders);
app.get("/users/:id", async (req, res) => {
  const user = await loadUser(req.params.id);
  res.send(user);
});
app.route("/books").get(listBooks).post(addBook);

function auth(req, res, next) { next(); }
function listOrders(req, res) { res.send(queryOrders(req.params.id)); }
function queryOrders(id) { return []; }
async function loadUser(id) { return {}; }
function listBooks(req, res) { res.send([]); }
const addBook = (req, res) => res.send(1);
"""
FASTIFY = """fastify.route({ method: "GET", url: "/stock/:sku", handler: showStock });
fastify.get("/health", { schema }, wrap(showHealth));
function showStock(request, reply) { return count(request.params.sku); }
const count = (sku) => 1;
async function showHealth() { return "ok"; }
"""
NEST = """@Controller("users")
export class UsersController {
  constructor(private readonly service: UsersService) {}
  @Get(":id")
  findOne(@Param("id") id: string) {
    return this.service.loadOne(id);
  }
  @Get()
  findAll(@Query("page") page: string) {
    return [];
  }
}
export class UsersService {
  loadOne(id: string) { return {}; }
}
"""
GO = """package main

func routes(r *gin.Engine, mux *http.ServeMux) {
	api := r.Group("/api")
	api.GET("/users/:id", h.GetUser)
	mux.HandleFunc("GET /orders/{id}", listOrders)
	r.Get("/stock", func(w http.ResponseWriter, q *http.Request) {
		write(w, countStock())
	})
	switch path {
	case "/legacy":
		serveLegacy()
	}
}

func (h *Handler) GetUser(c *gin.Context) { c.JSON(200, loadUser(c.Param("id"))) }
func loadUser(id string) User { return User{} }
func listOrders(w http.ResponseWriter, r *http.Request) {}
func countStock() int { return 1 }
func serveLegacy() {}
"""
SPRING = """@RestController
@RequestMapping("/api/users")
class UserController {
  @GetMapping(value = "/{id}", produces = "application/json")
  public User show(@PathVariable("id") long id) { return service.loadUser(id); }
  @GetMapping
  public List<User> list(@RequestParam("page") int page) { return service.everyUser(); }
}
class UserService {
  User loadUser(long id) { return null; }
  List<User> everyUser() { return null; }
}
"""
JAX_RS = """@Path("/orders")
public class Orders {
  @GET
  @Path("{id}/items")
  public List<Item> items(@PathParam("id") long id) { return findItems(id); }
  List<Item> findItems(long id) { return null; }
}
"""
KTOR = """fun Application.routes() {
    routing {
        get("/users/{id}") { call.respond(loadUser(call.parameters["id"])) }
    }
}
fun loadUser(id: String?) = 1
"""
SPRING_KOTLIN = """@RestController
@RequestMapping("/api/users")
class UserController(val service: UserService) {
    @GetMapping("/{id}")
    fun show(@PathVariable id: Long) = loadUser(id)
    fun loadUser(id: Long) = 1
}
"""
RAILS = {
    "config/routes.rb": """Rails.application.routes.draw do
  get "/reports/:year", to: "reports#show"
  resources :orders
  post "imports" => "imports#start"
end
""",
    "app/controllers/reports_controller.rb": """class ReportsController < ApplicationController
  def show
    render json: summarise(params[:year])
  end

  def summarise(year)
    year
  end
end
""",
    "app/controllers/orders_controller.rb": """class OrdersController < ApplicationController
  def index
    render json: []
  end

  def show
    render json: load_order
  end

  def load_order
    1
  end
end
""",
}
SINATRA = """get "/hello/:name" do
  greet(params[:name])
end

def greet(name)
  name
end
"""
LARAVEL = {
    "routes/web.php": """<?php
Route::get('/users/{id}', [UserController::class, 'show']);
Route::get('/orders', 'OrderController@index');
Route::get('/ping', fn () => pong());
function pong() { return 1; }
""",
    "app/UserController.php": """<?php
class UserController { public function show($id) { return loadUser($id); } }
class OrderController { public function index() { return 1; } }
class Other { public function show() { return 1; } public function index() { return 2; } }
function loadUser($id) { return 1; }
""",
}
SYMFONY = """<?php
#[Route('/shop')]
class ShopController {
    #[Route('/items/{id}', name: 'item', methods: ['GET'])]
    public function item(int $id) { return $this->loadItem($id); }
    private function loadItem(int $id) { return 1; }
}
"""
ASP_NET = """[ApiController]
[Route("api/[controller]")]
public class UsersController : ControllerBase {
    [HttpGet("{id}")]
    public User Show(int id) { return LoadUser(id); }
    [HttpGet]
    public List<User> List([FromQuery(Name = "page")] int page) { return null; }
    User LoadUser(int id) { return null; }
}
class Program {
    static void Main() {
        app.MapGet("/orders/{id}", GetOrder);
        app.MapGet("/stock", (Stock stock) => CountStock(stock));
    }
    static Order GetOrder(int id) { return null; }
    static int CountStock(Stock stock) { return 1; }
}
"""
RUST = """#[get("/users/{id}")]
async fn show_user(id: web::Path<u32>) -> impl Responder { load_user(*id) }
fn load_user(id: u32) -> String { String::new() }

fn routes() -> Router {
    Router::new()
        .route("/orders/:id", get(show_order).post(change_order))
        .route("/stock", get(|| async { count_stock() }))
}
fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/books").route(web::get().to(list_books)));
}
async fn show_order() {}
async fn change_order() {}
fn count_stock() -> u32 { 1 }
async fn list_books() {}
"""
DJANGO = {
    "shop/urls.py": """urlpatterns = [
    path("users/<int:pk>/", views.show_user),
    re_path(r"^books/$", views.list_books),
]
""",
    "shop/views.py": """def show_user(request, pk):
    return load(pk)

def load(pk):
    return pk

def list_books(request):
    pass
""",
}


MOUNTED_EXPRESS = {
    "src/app.js": """const users = require("./routes/users");
import bookRoutes from "./routes/books.js";
app.use("/users", users);
app.use("/books", bookRoutes);
""",
    "src/routes/users.js": """router.get("/", listUsers);
router.get("/:id", showUser);
function listUsers(req, res) { res.send([]); }
function showUser(req, res) { res.send(1); }
""",
    "src/routes/books.js": """router.get("/", listBooks);
router.get("/:id", showBook);
function listBooks(req, res) { res.send([]); }
function showBook(req, res) { res.send(1); }
""",
}
MOUNTED_FASTAPI = {
    "shop/main.py": """from shop.routers import users, books
app.include_router(users.router, prefix="/users")
app.include_router(books.router)
""",
    "shop/routers/users.py": """@router.get("/{user_id}")
def show_user(user_id):
    return load(user_id)

def load(user_id):
    return 1
""",
    "shop/routers/books.py": """router = APIRouter(prefix="/books")

@router.get("/{book_id}")
def show_book(book_id):
    return 1
""",
}
MOUNTED_GO = """package main

func routes(r *gin.Engine) {
	users := r.Group("/users")
	users.GET("/:id", showUser)
}
func showUser(c *gin.Context) {}
"""


@pytest.mark.parametrize(
    ("path", "texts", "functions"),
    [
        ("/users/7/orders?page=2", {"app.js": EXPRESS}, {"auth": 0, "listOrders": 0, "queryOrders": 1}),
        ("/users/7", {"app.js": EXPRESS}, {None: 0, "loadUser": 1}),
        ("/books", {"app.ts": EXPRESS}, {"listBooks": 0, "addBook": 0}),
        ("/stock/a-1", {"app.mjs": FASTIFY}, {"showStock": 0, "count": 1}),
        ("/health", {"app.js": FASTIFY}, {"showHealth": 0}),
        ("/users/7", {"users.ts": NEST}, {"findOne": 0, "loadOne": 1}),
        ("/v1/users", {"users.ts": NEST}, {"findAll": 0}),
        ("/api/users/7", {"main.go": GO}, {"GetUser": 0, "loadUser": 1}),
        ("/orders/7", {"main.go": GO}, {"listOrders": 0}),
        ("/stock", {"main.go": GO}, {None: 0, "countStock": 1}),
        ("/legacy", {"main.go": GO}, {"serveLegacy": 0}),
        ("/api/users/7", {"U.java": SPRING}, {"show": 0, "loadUser": 1}),
        ("/api/users", {"U.java": SPRING}, {"list": 0, "everyUser": 1}),
        ("/orders/7/items", {"O.java": JAX_RS}, {"items": 0, "findItems": 1}),
        ("/users/7", {"App.kt": KTOR}, {None: 0, "loadUser": 1}),
        ("/api/users/7", {"U.kt": SPRING_KOTLIN}, {"show": 0, "loadUser": 1}),
        ("/reports/2026", RAILS, {"show": 0, "summarise": 1}),
        ("/orders/7", RAILS, {"show": 0, "load_order": 1}),
        ("/orders", RAILS, {"index": 0}),
        ("/hello/ann", {"app.rb": SINATRA}, {None: 0, "greet": 1}),
        ("/users/7", LARAVEL, {"show": 0, "loadUser": 1}),
        ("/orders", LARAVEL, {"index": 0}),
        ("/ping", LARAVEL, {None: 0, "pong": 1}),
        ("/shop/items/7", {"S.php": SYMFONY}, {"item": 0, "loadItem": 1}),
        ("/api/users/7", {"P.cs": ASP_NET}, {"Show": 0, "LoadUser": 1}),
        ("/api/Users", {"P.cs": ASP_NET}, {"List": 0}),
        ("/orders/7", {"P.cs": ASP_NET}, {"GetOrder": 0}),
        ("/stock", {"P.cs": ASP_NET}, {None: 0, "CountStock": 1}),
        ("/users/7", {"main.rs": RUST}, {"show_user": 0, "load_user": 1}),
        ("/orders/7", {"main.rs": RUST}, {"show_order": 0, "change_order": 0}),
        ("/stock", {"main.rs": RUST}, {None: 0, "count_stock": 1}),
        ("/books", {"main.rs": RUST}, {"list_books": 0}),
        ("/users/7/", DJANGO, {"show_user": 0, "load": 1}),
        ("/books/", DJANGO, {"list_books": 0}),
        ("/users/7", MOUNTED_EXPRESS, {"showUser": 0}),
        ("/books", MOUNTED_EXPRESS, {"listBooks": 0}),
        ("/api/users/7", MOUNTED_FASTAPI, {"show_user": 0, "load": 1}),
        ("/books/7", MOUNTED_FASTAPI, {"show_book": 0}),
        ("/users/7", {"main.go": MOUNTED_GO}, {"showUser": 0}),
        ("/nowhere/7", LARAVEL | RAILS | {"app.js": EXPRESS, "U.java": SPRING, "P.cs": ASP_NET}, {}),
    ],
)
def test_a_path_leads_to_its_handler_and_what_that_calls(
    path: str, texts: dict[str, str], functions: dict[str | None, int]
) -> None:
    found: dict[str | None, int] = {}
    for one in reached_by(path, texts):
        found.setdefault(one.function, one.depth)
    assert found == functions


async def test_a_change_within_a_handler_without_a_name_is_the_suspect() -> None:
    slow = EXPRESS.replace("await loadUser(req.params.id);", "await loadUser(req.params.id); await sleep(500);")
    first, changed = {"app.js": EXPRESS}, {"app.js": slow}
    repository = FakeRepository(
        FakeCommit("start", first),
        FakeCommit("Wait for the user", changed),
        FakeCommit("Books", {"app.js": slow.replace("res.send([])", "res.send([1])")}),
    )
    texts = {"app.js": (await repository.read(repository.shas[-1], "app.js")).text}
    commits = await repository.commits(repository.shas[0], repository.shas[-1])
    suspects = rank_slow(commits, reached_by("/users/7", texts), texts)
    assert [(one.commit, one.line, one.function) for one in suspects] == [(repository.shas[1], 6, None)]
    assert suspects[0].why == "it changed what answers the slow request"


def test_a_broken_file_and_one_of_no_language_lead_nowhere() -> None:
    assert reached_by("/users/7", {"a.js": "app.get('/users/:id', ", "b.txt": "/users/7", "c.py": "\0@(("}) == ()


def answered(status: int, count: int = 20) -> str:
    return "".join(f"GET /books {200} 2ms\nGET /users/{at} {status} 3ms\n" for at in range(count))


async def diagnosed(canary: str, until: int = 1) -> tuple[Diagnosis, FakeRepository]:
    """Of the range up to a commit."""
    broken = EXPRESS.replace(
        "async function loadUser(id) { return {}; }", "async function loadUser(id) { return id.x.y; }"
    )
    repository = FakeRepository(
        FakeCommit("start", {"app.js": EXPRESS}),
        FakeCommit("Load users otherwise", {"app.js": broken}),
        FakeCommit("Books", {"app.js": broken.replace("res.send([])", "res.send([1])")}),
    )
    bundle = bundle_of(canary, answered(200), commits=(repository.shas[0], repository.shas[until]))
    return diagnose(await triage(bundle, repository, None)), repository


async def test_a_route_that_only_the_canary_answers_with_errors_leads_to_the_change_behind_it() -> None:
    found, repository = await diagnosed(answered(500))
    assert (found.category, found.confidence, found.culprit_commit) == ("code", "low", repository.shas[1])
    assert found.location is not None
    assert (found.location.file, found.location.function) == ("app.js", "loadUser")
    assert "GET /users/* is answered with 500 20 of 20 times by the canary and 0 of 20 times" in found.summary
    assert found.claims[0].evidence[0].quote == "GET /users/0 500 3ms"


async def test_of_several_commits_none_is_blamed_for_a_route_that_fails_without_a_trace() -> None:
    """The nearest to the handler need not be the one: what breaks it may lie two calls further in."""
    found, _ = await diagnosed(answered(500), until=2)
    assert (found.category, found.location, found.culprit_commit, found.strategy) == ("code", None, None, None)
    assert "which of 2 commits between the versions did it, nothing tells" in found.summary


async def test_where_the_canary_complains_of_its_database_no_change_behind_a_route_is_blamed() -> None:
    found, _ = await diagnosed(answered(500) + "ERROR cannot query: ECONNREFUSED 10.0.0.7:5432\n" * 20)
    assert found.culprit_commit is None
