; A Lisp in Lisp: an evaluator for a language like this one, with environments that are lists of pairs.

(define (lookup name environment)
  (let ((pair (assoc name environment)))
    (if pair (cdr pair) (error "no such variable" name))))

(define (bind names values environment)
  (if (null? names) environment
    (cons (cons (car names) (car values)) (bind (cdr names) (cdr values) environment))))

(define (evaluate form environment)
  (cond ((symbol? form) (lookup form environment))
        ((not (pair? form)) form)
        ((eq? (car form) 'quote) (cadr form))
        ((eq? (car form) 'if)
         (evaluate (if (evaluate (cadr form) environment) (caddr form) (car (cdr (cddr form)))) environment))
        ((eq? (car form) 'lambda) (list 'closure (cadr form) (caddr form) environment))
        ((eq? (car form) 'letrec)
         (let* ((pair (cons (cadr form) '())) (inner (cons pair environment)))
           (set-cdr! pair (evaluate (caddr form) inner))
           (evaluate (car (cdr (cddr form))) inner)))
        (else (call (evaluate (car form) environment)
                    (map (lambda (part) (evaluate part environment)) (cdr form))))))

(define (call f arguments)
  (if (procedure? f)
    (apply f arguments)
    (evaluate (caddr f) (bind (cadr f) arguments (car (cdr (cddr f)))))))

(define world (list (cons '+ +) (cons '- -) (cons '* *) (cons '< <) (cons '= =)
                    (cons 'cons cons) (cons 'car car) (cons 'cdr cdr) (cons 'null? null?)))

(print (evaluate '(letrec fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 15)) world))
(print (evaluate '(letrec map (lambda (f l) (if (null? l) '() (cons (f (car l)) (map f (cdr l)))))
                    (map (lambda (x) (* x x)) '(1 2 3 4 5))) world))
(print (evaluate '(((lambda (x) (lambda (y) (- x y))) 10) 3) world))
(print (guard (e (list (error-message e) (error-about e))) (evaluate '(+ 1 missing) world)))
